import { createRequire } from 'node:module'
import { expect } from 'vitest'
import { eventually } from '../helpers/eventually.js'
import { KIT } from './screen.js'

/** The kit's own object, as its lib/reminder.js promises. */
export interface Reminder {
  hint(text: string): void
  wake(): void
  addFormId(formId: unknown, page: string): boolean
  newTap(): { id: string; at: number }
  addSubscription(tap: { id: string; at: number }, templateId: string, result: string): void
  whatToAsk(templateIds: string[]): Promise<{ formId: boolean; templateIds: string[] }>
  today(): Promise<{ ok: boolean; signedIn?: boolean; streak?: number; streakBefore?: number }>
  signIn(): Promise<{ ok: boolean; date?: string; streak?: number }>
}

interface RequestOption {
  url: string
  method: string
  data?: object
  header: Record<string, string>
  success(result: Answer): void
  fail(result: { errMsg: string }): void
}
interface SubscribeOption {
  tmplIds: string[]
  success(results: Record<string, string>): void
}
interface Answer {
  statusCode: number
  data: unknown
  header: Record<string, string>
}

export interface Sent {
  method: string
  path: string
  authorization: string | undefined
  data: { items?: Record<string, unknown>[] } & Record<string, unknown>
  /** 0 when no answer came back. */
  status: number
}

/** What happens to a request on its way; undefined: it gets through. */
export type Interference = (request: Omit<Sent, 'status'>) => Partial<Answer> | 'answer lost' | undefined

const { createReminder } = createRequire(import.meta.url)(`${KIT}/lib/reminder.js`) as {
  createReminder(config: { serviceUrl: string }, phone: object): Reminder
}

/**
 * A phone with WeChat on it, over fetch: requests, login, storage and timers, all under the test's command. Nothing
 * happens later than the test wants: timers run when it says so.
 */
export class Phone {
  readonly serviceUrl: string
  /** How far its clock is ahead, in ms. */
  clockAhead = 0
  interfere: Interference = () => undefined
  /** What the user chooses when asked for a subscription. */
  decide: (templateId: string) => string = () => 'reject'
  /** Bytes that storage takes in all. */
  storageLimit = 10 * 1024 * 1024
  readonly storage = new Map<string, string>()
  readonly sent: Sent[] = []
  readonly hints: string[] = []
  timers: { id: number; work: () => void; ms: number }[] = []
  readonly wx = this.#wechat()
  readonly #now: () => number
  readonly #loginCode: () => string
  #online = true
  #inFlight = 0
  /** Counts the lives of the app: what one began does not reach the next. */
  #life = 0
  #networkListeners: ((status: { isConnected: boolean }) => void)[] = []

  constructor(options: { serviceUrl: string; now: () => number; loginCode: () => string }) {
    this.serviceUrl = options.serviceUrl
    this.#now = options.now
    this.#loginCode = options.loginCode
  }

  now(): number {
    return this.#now() + this.clockAhead
  }

  /** The app starts, with what is in storage. */
  startApp(): Reminder {
    this.killApp()
    const life = this.#life
    return createReminder(
      { serviceUrl: this.serviceUrl },
      {
        wx: this.wx,
        now: () => this.now(),
        random: Math.random,
        setTimeout: (work: () => void, ms: number) => {
          if (life !== this.#life) return 0
          const id = this.timers.length === 0 ? 1 : Math.max(...this.timers.map((timer) => timer.id)) + 1
          this.timers.push({ id, work, ms })
          return id
        },
        clearTimeout: (id: number) => {
          this.timers = this.timers.filter((timer) => timer.id !== id)
        },
        console: { warn: (text: string) => this.hints.push(text) },
      },
    )
  }

  /** The app is gone, as when the user swipes it away: no callback, no timer comes back. */
  killApp(): void {
    this.#life++
    this.timers = []
    this.#networkListeners = []
  }

  goOffline(): void {
    this.#setOnline(false)
  }

  goOnline(): void {
    this.#setOnline(true)
  }

  /** What waits goes on now. Answers how long it would have waited, in ms. */
  runTimers(): number[] {
    const due = this.timers
    this.timers = []
    for (const { work } of due) work()
    return due.map(({ ms }) => ms)
  }

  /** Waits until every request was answered and nothing follows by itself. */
  async settled(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet++) {
      await eventually('answers to all requests', () => this.#inFlight === 0)
      const before = this.sent.length
      await new Promise((resolve) => setImmediate(resolve))
      if (this.sent.length !== before || this.#inFlight > 0) quiet = 0
    }
  }

  /** What waits for its upload, as storage has it. */
  pending(): Record<string, unknown>[] {
    return JSON.parse(this.storage.get('reminder.outbox') ?? '[]')
  }

  /** Requests to a path, in order. */
  sentTo(path: string): Sent[] {
    return this.sent.filter((sent) => sent.path === path)
  }

  /** Checks that exactly these hints were given. */
  expectHints(...hints: RegExp[]): void {
    expect(this.hints).toEqual(hints.map((hint) => expect.stringMatching(hint)))
  }

  #setOnline(isConnected: boolean): void {
    this.#online = isConnected
    for (const listener of this.#networkListeners) listener({ isConnected })
  }

  #wechat() {
    return {
      request: (option: RequestOption) => {
        void this.#request(option, this.#life)
      },
      login: ({ success }: { success(result: { code: string }): void }) => {
        const code = this.#loginCode()
        queueMicrotask(() => success({ code }))
      },
      getStorageSync: (key: string): unknown => JSON.parse(this.storage.get(key) ?? '""'),
      setStorageSync: (key: string, value: unknown) => {
        const text = JSON.stringify(value)
        const others = [...this.storage].filter(([name]) => name !== key)
        if (others.reduce((sum, [, other]) => sum + other.length, text.length) > this.storageLimit)
          throw new Error('setStorageSync:fail exceed storage max size')
        this.storage.set(key, text)
      },
      requestSubscribeMessage: ({ tmplIds, success }: SubscribeOption) => {
        const choices = tmplIds.map((templateId) => [templateId, this.decide(templateId)])
        queueMicrotask(() =>
          success({ errMsg: 'requestSubscribeMessage:ok', ...Object.fromEntries(choices) }),
        )
      },
      onNetworkStatusChange: (listener: (status: { isConnected: boolean }) => void) => {
        this.#networkListeners.push(listener)
      },
    }
  }

  async #request(
    { url, method, data = {}, header, success, fail }: RequestOption,
    life: number,
  ): Promise<void> {
    const request = {
      method,
      path: url.slice(this.serviceUrl.length),
      authorization: header.Authorization,
      data: structuredClone(data) as Sent['data'],
    }
    this.#inFlight++
    try {
      const answer = await this.#exchange(request, header)
      this.sent.push({ ...request, status: answer?.statusCode ?? 0 })
      if (life !== this.#life) return
      if (answer) success(answer)
      else fail({ errMsg: 'request:fail' })
    } finally {
      this.#inFlight--
    }
  }

  async #exchange(
    request: Omit<Sent, 'status'>,
    headers: Record<string, string>,
  ): Promise<Answer | undefined> {
    if (!this.#online) return undefined
    const fate = this.interfere(request)
    if (typeof fate === 'object') return { statusCode: 200, data: '', header: {}, ...fate }
    const response = await fetch(this.serviceUrl + request.path, {
      method: request.method,
      headers,
      ...(request.method === 'GET' ? {} : { body: JSON.stringify(request.data) }),
    }).catch(() => undefined)
    if (!response || fate === 'answer lost') return undefined
    const text = await response.text()
    // Node puts the machine's time into Date; the service's clock is the test's.
    const header = { ...Object.fromEntries(response.headers), Date: new Date(this.#now()).toUTCString() }
    return { statusCode: response.status, data: parsed(text), header: { ...capitals(header) } }
  }
}

/** As wx.request does with dataType json: text that is none stays text. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Retry-After and not retry-after, as some platforms give it. */
function capitals(header: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(header).map(([name, value]) => [
      name.replace(/\b[a-z]/g, (letter) => letter.toUpperCase()),
      value,
    ]),
  )
}
