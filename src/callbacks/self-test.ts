import { randomBytes, randomInt } from 'node:crypto'
import type { Bilingual } from '../lib/bilingual.js'
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
  reason: Bilingual
  fix?: Bilingual
}

const SAME_TOKEN: Bilingual = {
  en: 'Set the same WX_CALLBACK_TOKEN for the service there, here and in the console, and restart it.',
  zh: '让那边的服务、这里和微信后台使用相同的 WX_CALLBACK_TOKEN，并重启服务。',
}
const SAME_KEY: Bilingual = {
  en: 'Set the same WX_ENCODING_AES_KEY for the service there, here and in the console, and restart it.',
  zh: '让那边的服务、这里和微信后台使用相同的 WX_ENCODING_AES_KEY，并重启服务。',
}

/** What to do about a refusal by our own service, by details.reason. */
const FIXES: Record<string, Bilingual> = {
  off: { en: 'Start the service with WX_CALLBACK_TOKEN.', zh: '启动服务时设置 WX_CALLBACK_TOKEN。' },
  signature: SAME_TOKEN,
  timestamp: { en: 'Set the clocks of both machines by NTP.', zh: '用 NTP 校准两台机器的时钟。' },
  no_aes_key: SAME_KEY,
  not_encrypted: SAME_KEY,
  content: {
    en: `${SAME_KEY.en} Or WX_APP_ID differs: the log of the service there says which.`,
    zh: `${SAME_KEY.zh}也可能是 WX_APP_ID 不同：看那边服务的日志。`,
  },
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
  const modeZh = mode === 'plain' ? '明文' : '安全'
  return (
    (await step({ en: 'check of the URL', zh: 'URL 校验' }, () => checkUrl(secrets, call, now))) ??
    (await step({ en: `event in ${mode} mode`, zh: `${modeZh}模式事件` }, () =>
      pushEvent(secrets, call, now),
    )) ?? {
      reason: {
        en: `echostr and an event in ${mode} mode are answered as WeChat expects`,
        zh: `对 echostr 和${modeZh}模式事件的应答符合微信要求`,
      },
    }
  )
}

async function step(
  name: Bilingual,
  run: () => Promise<SelfTest | undefined>,
): Promise<SelfTest | undefined> {
  const within = ({ en, zh }: Bilingual): Bilingual => ({
    en: `${name.en}: ${en}`,
    zh: `${name.zh}：${zh}`,
  })
  try {
    const failure = await run()
    return failure && { ...failure, reason: within(failure.reason) }
  } catch (error) {
    const why = whyOf(error)
    return {
      reason: within({ en: `no answer (${why})`, zh: `没有应答（${why}）` }),
      fix: {
        en: 'Check WX_CALLBACK_URL, DNS, firewall and reverse proxy. WeChat waits 5 s and calls ports 80 and 443 only.',
        zh: '检查 WX_CALLBACK_URL、DNS、防火墙和反向代理。微信只等 5 秒，且只访问 80 和 443 端口。',
      },
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
    reason: { en: 'the answer is not the echostr, unchanged', zh: '没有原样返回 echostr' },
    fix: {
      en: 'Something in front of the service answers or changes the answer: check the reverse proxy, and that the URL is that of the service.',
      zh: '服务前面有东西代为应答或改动了应答：检查反向代理，以及 URL 是否指向本服务。',
    },
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
    reason: { en: 'the answer is not "success"', zh: '应答不是 "success"' },
    fix: {
      en: 'Something in front of the service answers or changes the answer: check the reverse proxy.',
      zh: '服务前面有东西代为应答或改动了应答：检查反向代理。',
    },
  }
}

function refused({ status, body }: CallbackAnswer): SelfTest {
  const detail = reasonIn(body)
  const known = detail === undefined ? undefined : FIXES[detail]
  const answered = { en: `answered ${status}`, zh: `应答 ${status}` }
  if (known)
    return {
      reason: { en: `${answered.en} (${detail})`, zh: `${answered.zh}（${detail}）` },
      fix: known,
    }
  if (status === 404)
    return {
      reason: answered,
      fix: {
        en: 'The address must end in /wechat/callback (or /wechat/callback/APP_ID), and the reverse proxy must pass it on.',
        zh: '地址必须以 /wechat/callback（或 /wechat/callback/APP_ID）结尾，且反向代理要转发它。',
      },
    }
  if (status >= 300 && status < 400)
    return {
      reason: answered,
      fix: {
        en: 'WeChat does not follow redirects: enter the final address.',
        zh: '微信不跟随重定向：请填写最终地址。',
      },
    }
  return {
    reason: answered,
    fix: {
      en: 'Check the logs of the service and of the reverse proxy.',
      zh: '查看服务和反向代理的日志。',
    },
  }
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
