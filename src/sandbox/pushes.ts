import type { Clock } from './clock.js'
import type { Delivery } from './ledger.js'
import type { DeliveryFailure } from './people.js'
import { type CallbackConfig, composePush, type PushedEvent } from './push-message.js'

/** WeChat waits this long for the answer, and sends three times in all (消息推送). */
const ANSWER_WITHIN_MS = 5_000
const ATTEMPTS = 3

export interface PushAttempt {
  /** null if there was no answer in time. */
  status: number | null
  body: string
}

export interface PushRecord {
  id: number
  app_id: string
  event: string
  open_id: string
  state: 'waiting' | 'under_way' | 'answered' | 'given_up'
  attempts: PushAttempt[]
}

type Accepted = Pick<Delivery, 'app_id' | 'channel' | 'open_id' | 'template_id' | 'msgid' | 'at'>

interface Waiting {
  record: PushRecord
  config: CallbackConfig
  event: PushedEvent
}

/** Pushes events to the URL that each account gave. */
export class Pushes {
  readonly #clock: Clock
  readonly #kept: number
  readonly #configs = new Map<string, { config: CallbackConfig; auto: boolean }>()
  readonly #underWay = new Set<Promise<void>>()
  #waiting: Waiting[] = []
  #records: PushRecord[] = []
  #ids = 0

  constructor(clock: Clock, kept: number) {
    this.#clock = clock
    this.#kept = kept
  }

  /** `auto`: events are pushed when they happen; otherwise they wait until they are sent by hand. */
  configure(appId: string, config: CallbackConfig, auto: boolean): void {
    this.#configs.set(appId, { config, auto })
  }

  /** Does nothing for an account without a callback. `changes` make a push wrong. */
  add(appId: string, event: PushedEvent, changes: Partial<CallbackConfig> = {}): void {
    const configured = this.#configs.get(appId)
    if (!configured) return
    this.#ids += 1
    const record: PushRecord = {
      id: this.#ids,
      app_id: appId,
      event: event.name,
      open_id: event.openId,
      state: 'waiting',
      attempts: [],
    }
    this.#records.push(record)
    if (this.#records.length > this.#kept) this.#records.shift()
    this.#waiting.push({ record, config: { ...configured.config, ...changes }, event })
    if (this.#waiting.length > this.#kept) this.#waiting.shift()
    if (configured.auto) void this.send()
  }

  /**
   * What WeChat pushes after a message was accepted: whether it reached the person. form_id messages have no such
   * event. The ErrorCode of a lost subscribe message is on no page.
   */
  addOutcome(message: Accepted, failure?: DeliveryFailure): void {
    const { app_id, channel, open_id: openId, template_id: TemplateId, msgid: MsgID, at } = message
    if (MsgID === null) return
    if (channel === 'official') {
      const item = { MsgID, Status: failure ?? 'success' }
      this.add(app_id, { name: 'TEMPLATESENDJOBFINISH', openId, at, items: [item] })
    } else {
      const outcome = failure
        ? { ErrorCode: '-1', ErrorStatus: failure }
        : { ErrorCode: '0', ErrorStatus: 'success' }
      const items = [{ TemplateId, MsgID, ...outcome }]
      this.add(app_id, { name: 'subscribe_msg_sent_event', openId, at, items })
    }
  }

  /** Sends what waits, all at once; resolves when every push has been answered or given up. */
  async send(): Promise<void> {
    for (const waiting of this.#waiting.splice(0)) {
      const push = this.#push(waiting).finally(() => this.#underWay.delete(push))
      this.#underWay.add(push)
    }
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  list(): PushRecord[] {
    return this.#records
  }

  clear(): void {
    this.#configs.clear()
    this.#waiting = []
    this.#records = []
    this.#ids = 0
  }

  async #push({ record, config, event }: Waiting): Promise<void> {
    record.state = 'under_way'
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const { url, body, contentType } = composePush(config, record.app_id, event, this.#clock.now())
      const answer = await call(url, body, contentType)
      record.attempts.push(answer)
      if (answer.status === 200 && (answer.body === 'success' || answer.body === '')) {
        record.state = 'answered'
        return
      }
    }
    record.state = 'given_up'
  }
}

async function call(url: string, body: string, contentType: string): Promise<PushAttempt> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': contentType },
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    })
    return { status: response.status, body: (await response.text()).slice(0, 1_000) }
  } catch {
    return { status: null, body: '' }
  }
}
