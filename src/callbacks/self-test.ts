import { randomBytes, randomInt } from 'node:crypto'
import { decodeAesKey, encrypt } from './cipher.js'
import type { CallbackSecrets } from './open.js'
import { sign } from './signature.js'

export interface CallbackAnswer {
  status: number
  body: string
}

/** Calls the callback's address with a query, as WeChat does; `body` makes it a POST. Throws if there is no answer. */
export type CallCallback = (query: Record<string, string>, body?: string) => Promise<CallbackAnswer>

/** `fix` is present if something is wrong. */
export interface SelfTest {
  reason: string
  fix?: string
}

const SAME_TOKEN =
  'Set the same WX_CALLBACK_TOKEN for the service there, here and in the console, and restart it.'
const SAME_KEY =
  'Set the same WX_ENCODING_AES_KEY for the service there, here and in the console, and restart it.'

/** What to do about a refusal by our own service, by details.reason. */
const FIXES: Record<string, string> = {
  off: 'Start the service with WX_CALLBACK_TOKEN.',
  signature: SAME_TOKEN,
  timestamp: 'Set the clocks of both machines by NTP.',
  no_aes_key: SAME_KEY,
  not_encrypted: SAME_KEY,
  content: `${SAME_KEY} Or WX_APP_ID differs: the log of the service there says which.`,
}

/**
 * Plays WeChat's part: the check of the URL, then a harmless event in the configured mode. The event leaves
 * one row in wx_callback_event, with outcome `ignored`. Stops at the first step that fails.
 */
export async function testCallback(
  secrets: CallbackSecrets,
  call: CallCallback,
  now: number,
): Promise<SelfTest> {
  const mode = secrets.encodingAesKey === '' ? 'plain' : 'safe'
  return (
    (await step('check of the URL', () => checkUrl(secrets, call, now))) ??
    (await step(`event in ${mode} mode`, () => pushEvent(secrets, call, now))) ?? {
      reason: `echostr and an event in ${mode} mode are answered as WeChat expects`,
    }
  )
}

async function step(name: string, run: () => Promise<SelfTest | undefined>): Promise<SelfTest | undefined> {
  try {
    const failure = await run()
    return failure && { ...failure, reason: `${name}: ${failure.reason}` }
  } catch (error) {
    return {
      reason: `${name}: no answer (${whyOf(error)})`,
      fix: 'Check WX_CALLBACK_URL, DNS, firewall and reverse proxy. WeChat waits 5 s and calls ports 80 and 443 only.',
    }
  }
}

async function checkUrl(
  { token }: CallbackSecrets,
  call: CallCallback,
  now: number,
): Promise<SelfTest | undefined> {
  const { timestamp, nonce } = newStamp(now)
  const echostr = String(randomInt(2 ** 47))
  const answer = await call({ signature: sign(token, timestamp, nonce), timestamp, nonce, echostr })
  if (answer.status !== 200) return refused(answer)
  if (answer.body === echostr) return undefined
  return {
    reason: 'the answer is not the echostr, unchanged',
    fix: 'Something in front of the service answers or changes the answer: check the reverse proxy, and that the URL is that of the service.',
  }
}

async function pushEvent(
  { appId, token, encodingAesKey }: CallbackSecrets,
  call: CallCallback,
  now: number,
): Promise<SelfTest | undefined> {
  const { timestamp, nonce } = newStamp(now)
  const event = JSON.stringify({
    ToUserName: 'self_test',
    FromUserName: 'self_test',
    CreateTime: Number(timestamp),
    MsgType: 'event',
    Event: 'self_test',
  })
  const query = { signature: sign(token, timestamp, nonce), timestamp, nonce }
  if (encodingAesKey === '') return judge(await call(query, event))
  const Encrypt = encrypt(decodeAesKey(encodingAesKey), event, appId, randomBytes(16))
  const msg_signature = sign(token, timestamp, nonce, Encrypt)
  const body = JSON.stringify({ ToUserName: 'self_test', Encrypt })
  return judge(await call({ ...query, encrypt_type: 'aes', msg_signature }, body))
}

function judge(answer: CallbackAnswer): SelfTest | undefined {
  if (answer.status !== 200) return refused(answer)
  if (answer.body === 'success') return undefined
  return {
    reason: 'the answer is not "success"',
    fix: 'Something in front of the service answers or changes the answer: check the reverse proxy.',
  }
}

function refused({ status, body }: CallbackAnswer): SelfTest {
  const reason = reasonIn(body)
  if (reason !== undefined && FIXES[reason] !== undefined) {
    return { reason: `answered ${status} (${reason})`, fix: FIXES[reason] }
  }
  if (status === 404) {
    return {
      reason: 'answered 404',
      fix: 'The address must end in /wechat/callback (or /wechat/callback/APP_ID), and the reverse proxy must pass it on.',
    }
  }
  if (status >= 300 && status < 400) {
    return { reason: `answered ${status}`, fix: 'WeChat does not follow redirects: enter the final address.' }
  }
  return { reason: `answered ${status}`, fix: 'Check the logs of the service and of the reverse proxy.' }
}

/** details.reason of our own errors. */
function reasonIn(body: string): string | undefined {
  try {
    const { error } = JSON.parse(body) as { error?: { details?: { reason?: unknown } } }
    return typeof error?.details?.reason === 'string' ? error.details.reason : undefined
  } catch {
    return undefined
  }
}

function newStamp(now: number): { timestamp: string; nonce: string } {
  return { timestamp: String(Math.floor(now / 1000)), nonce: String(randomInt(2 ** 47)) }
}

/** fetch hides the reason of a failed connection in the cause. */
function whyOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const { cause } = error
  if (cause instanceof Error && 'code' in cause) return String(cause.code)
  return error.name
}
