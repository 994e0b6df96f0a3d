import type { ServerResponse } from 'node:http'
import { type Asked, type Behaviour, json, startWechatStub } from './wechat.js'

/** One message that the stand-in took for delivery. */
export interface Taken {
  openId: string
  formId: string
  message: Record<string, unknown>
}

export interface StandIn {
  url: string
  /** Every token that it gave. */
  tokens: string[]
  taken: Taken[]
  /** Requests whose answer is held back. Their messages were taken. */
  held: number
  /** From the so-many-th message on, answers are held back. */
  holdAfter(messages: number): void
  /** Sends the answers held back now; later ones are held as well. */
  letGo(): void
  /** Sends the answers held back, and holds no more. */
  holdNoMore(): void
  /** Sends meet this, in place of the rules; undefined = the rules again. */
  answerSends(behaviour: Behaviour | undefined): void
  answerTokens(behaviour: Behaviour | undefined): void
  /** Logins meet this; at first every code is unknown. */
  answerLogins(behaviour: Behaviour): void
  close(): Promise<void>
}

const OK = { errcode: 0, errmsg: 'ok' }

/**
 * A second, much smaller WeChat that shares no code with the sandbox: gives tokens, takes template messages, knows that
 * a form_id works once, and remembers. So a mistake about WeChat in one of the two is seen with the other.
 */
export async function startStandIn(): Promise<StandIn> {
  const stub = await startWechatStub()
  const used = new Set<string>()
  const waiting: (() => void)[] = []
  let limit = Number.POSITIVE_INFINITY
  let sends: Behaviour | undefined
  let tokenCalls: Behaviour | undefined
  let logins: Behaviour = json({ errcode: 40029, errmsg: 'invalid code' })

  function answerToken(): Behaviour {
    if (tokenCalls) return tokenCalls
    const token = `TOKEN_${'x'.repeat(40)}_${standIn.tokens.length + 1}`
    standIn.tokens.push(token)
    return json({ access_token: token, expires_in: 7_200 })
  }

  function take(asked: Asked): Behaviour {
    if (sends) return sends
    if (asked.query.get('access_token') !== standIn.tokens.at(-1))
      return json({ errcode: 40001, errmsg: 'invalid credential, access_token is invalid' })
    const message = asked.json as Record<string, unknown>
    const formId = String(message.form_id)
    if (used.has(formId)) return json({ errcode: 41029, errmsg: 'form id used count reach limit' })
    used.add(formId)
    standIn.taken.push({ openId: String(message.touser), formId, message })
    return standIn.taken.length > limit ? hold : json(OK)
  }

  function hold(response: ServerResponse, asked: Asked): void {
    waiting.push(() => json(OK)(response, asked))
  }

  function behaviourFor(asked: Asked): Behaviour {
    if (asked.path === '/cgi-bin/stable_token' || asked.path === '/cgi-bin/token') return answerToken()
    if (asked.path === '/sns/jscode2session') return logins
    if (asked.path === '/cgi-bin/message/wxopen/template/send') return take(asked)
    return json({ errcode: 40066, errmsg: 'invalid url' }, 404)
  }

  stub.otherwise((response, asked) => behaviourFor(asked)(response, asked))

  const standIn: StandIn = {
    url: stub.url,
    tokens: [],
    taken: [],
    get held() {
      return waiting.length
    },
    holdAfter(messages) {
      limit = messages
    },
    letGo() {
      for (const answer of waiting.splice(0)) answer()
    },
    holdNoMore() {
      limit = Number.POSITIVE_INFINITY
      standIn.letGo()
    },
    answerSends(behaviour) {
      sends = behaviour
    },
    answerTokens(behaviour) {
      tokenCalls = behaviour
    },
    answerLogins(behaviour) {
      logins = behaviour
    },
    close: stub.close,
  }
  return standIn
}
