import type { Account } from '../account.js'
import { testCallback } from '../callbacks/self-test.js'
import type { CallbackTarget } from './callback-target.js'
import type { Finding } from './finding.js'

const NAME = 'callback'

/** Tests the message push with the configured token and key. */
export async function examineCallback(
  account: Account,
  target: CallbackTarget,
  systemNow: () => number,
): Promise<Finding> {
  const { token, encodingAesKey, url } = account.callback
  if (token === '') return callbackOff(account)
  const secrets = { appId: account.appId, token, encodingAesKey }
  const { reason, fix } = await testCallback(secrets, target.call, systemNow())
  if (fix !== undefined) return { name: NAME, status: 'fail', reason: `${target.name}: ${reason}`, fix }
  const ok = { name: NAME, status: 'ok', reason: `${target.name}: ${reason}` } as const
  if (encodingAesKey === '') {
    return {
      ...ok,
      status: 'warn',
      fix: 'Plain pushes can be forged: choose safe mode, and set WX_ENCODING_AES_KEY.',
    }
  }
  // URL omits the port that is the default of its scheme.
  if (url !== '' && new URL(url).port !== '') {
    return { ...ok, status: 'warn', fix: 'WeChat calls ports 80 and 443 only.' }
  }
  return ok
}

function callbackOff({ channel }: Account): Finding {
  const finding = { name: NAME, reason: 'off, WX_CALLBACK_TOKEN is not set' }
  if (channel === 'form_id') return { ...finding, status: 'ok' }
  const fix = 'Set WX_CALLBACK_TOKEN and WX_ENCODING_AES_KEY: only events tell of refusals and lost answers.'
  return { ...finding, status: 'warn', fix }
}
