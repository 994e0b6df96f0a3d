import type { Account } from '../account.js'
import { testCallback } from '../callbacks/self-test.js'
import { type Finding, toFinding } from '../findings/finding.js'
import type { Bilingual } from '../lib/bilingual.js'
import type { CallbackTarget } from './callback-target.js'

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
  const found = { en: `${target.name.en}: ${reason.en}`, zh: `${target.name.zh}：${reason.zh}` }
  if (fix !== undefined) return toFinding(NAME, 'fail', found, { fix })
  if (encodingAesKey === '') return toFinding(NAME, 'warn', found, { fix: PLAIN })
  // URL omits the port that is the default of its scheme.
  if (url !== '' && new URL(url).port !== '') return toFinding(NAME, 'warn', found, { fix: PORT })
  return toFinding(NAME, 'ok', found)
}

const PLAIN: Bilingual = {
  en: 'Plain pushes can be forged: choose safe mode, and set WX_ENCODING_AES_KEY.',
  zh: '明文推送可以伪造：请选择安全模式，并设置 WX_ENCODING_AES_KEY。',
}
const PORT: Bilingual = { en: 'WeChat calls ports 80 and 443 only.', zh: '微信只访问 80 和 443 端口。' }
const OFF: Bilingual = {
  en: 'off, WX_CALLBACK_TOKEN is not set',
  zh: '未开启，没有设置 WX_CALLBACK_TOKEN',
}

function callbackOff({ channel }: Account): Finding {
  if (channel === 'form_id') return toFinding(NAME, 'ok', OFF)
  return toFinding(NAME, 'warn', OFF, {
    fix: {
      en: 'Set WX_CALLBACK_TOKEN and WX_ENCODING_AES_KEY: only events tell of refusals and lost answers.',
      zh: '设置 WX_CALLBACK_TOKEN 和 WX_ENCODING_AES_KEY：只有事件能告知拒收和丢失的应答。',
    },
  })
}
