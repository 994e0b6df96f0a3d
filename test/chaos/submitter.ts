import { isDeepStrictEqual } from 'node:util'
import { chunks } from '../../src/lib/chunks.js'
import { DEMO_TEMPLATE_ID } from '../../src/sandbox/accounts.js'
import { HOUR_MS } from '../helpers/constants.js'
import type { Answer, Backend, Call } from './backend.js'
import type { Luck } from './luck.js'
import { PARCEL_TEMPLATE_ID } from './parcel-template.js'
import type { Uploader } from './uploads.js'

/** One message as the backend knows it. Its token is in its text, and so in WeChat's ledger. */
export interface Submitted {
  token: string
  userId: number
  notBefore?: number
  notAfter?: number
  /** Once it was accepted. */
  id?: number
  state?: 'queued' | 'no_permit'
  /** The service said that it does not take it, the last time that it was asked. */
  isRefused?: boolean
  /** The service said that it is cancelled. */
  isCancelled?: boolean
  /** It waits for so long that the backend will have cancelled it. */
  isFar?: boolean
}

interface Request {
  call: Call
  messages: Submitted[]
  isBatch: boolean
  /** What came in the end. */
  answer?: unknown
}

const RECENT = 50
const AT_ONCE = 8
const TOKEN = /^parcel-\d+$/

/**
 * The backend of a shop: it submits messages, alone and in batches, sends again what was not answered and sometimes what
 * was, twice at once too, cancels some, queues dead ones again, and remembers everything that it was told.
 */
export class Submitter {
  readonly messages = new Map<string, Submitted>()
  /** Requests whose answer came twice, and not the same. */
  readonly differing: object[] = []
  readonly counts = { posts: 0, repeated: 0, cancels: 0, too_late: 0, requeued: 0 }
  readonly #requests: Request[] = []
  readonly #backend: Backend
  readonly #luck: Luck
  readonly #uploader: Uploader

  constructor(backend: Backend, luck: Luck, uploader: Uploader) {
    this.#backend = backend
    this.#luck = luck
    this.#uploader = uploader
  }

  async submit(stopped: () => boolean): Promise<void> {
    const request = this.#compose()
    this.#requests.push(request)
    this.counts.posts++
    await Promise.all([
      this.#send(request, stopped),
      ...(this.#luck.chance(0.15) ? [this.#send(request, stopped)] : []),
    ])
    if (!this.#luck.chance(0.2)) return
    this.counts.repeated++
    await this.#send(this.#luck.pick(this.#requests.slice(-RECENT)), stopped)
  }

  /** Changes its mind about a message, or looks for dead ones. */
  async interfere(stopped: () => boolean): Promise<void> {
    if (this.#luck.chance(0.4)) return this.requeueDead(stopped)
    const queued = [...this.messages.values()].filter((m) => m.state === 'queued' && !m.isCancelled)
    const waiting = queued.filter(({ notBefore = 0 }) => notBefore > Date.now())
    const some = waiting.length > 0 && this.#luck.chance(0.7) ? waiting : queued.slice(-RECENT)
    if (some.length > 0) await this.#cancel(this.#luck.pick(some), stopped)
  }

  /** Also those that it has not submitted itself, if there were any. */
  async requeueDead(stopped: () => boolean): Promise<void> {
    const answer = await this.#backend.ask(
      { method: 'GET', path: '/v1/messages?state=dead&limit=20' },
      stopped,
    )
    const { items = [] } = (answer?.body ?? {}) as { items?: { id: number }[] }
    for (const { id } of items) {
      const body = { not_after: Date.now() + HOUR_MS }
      const path = `/v1/messages/${id}/requeue`
      const again = await this.#backend.ask({ method: 'POST', path, body }, stopped)
      if (again?.status === 202) this.counts.requeued++
    }
  }

  /**
   * Asks for every answer once more, also for those that never came, and cancels what would wait for long. To be called
   * when only one calm service is there: what it does not take now, nobody takes later.
   */
  async settle(stopped: () => boolean): Promise<void> {
    for (const some of chunks(this.#requests, AT_ONCE))
      await Promise.all(some.map((request) => this.#send(request, stopped)))
    for (const message of this.messages.values())
      if (message.isFar && message.state === 'queued' && !message.isCancelled)
        await this.#cancel(message, stopped)
  }

  async #cancel(message: Submitted, stopped: () => boolean): Promise<void> {
    const path = `/v1/messages/${message.id}`
    const answer = await this.#backend.ask({ method: 'DELETE', path }, stopped)
    if (!answer) return
    if (answer.status === 404) this.differing.push({ lost: message, answer })
    if (answer.status !== 200) this.counts.too_late++
    else {
      message.isCancelled = true
      this.counts.cancels++
    }
  }

  async #send(request: Request, stopped: () => boolean): Promise<void> {
    const wasAccepted = request.answer !== undefined
    const answer = await this.#backend.ask(request.call, stopped)
    if (!answer) return
    const { status, body } = answer
    if (status !== 202) return this.#refuse(request, wasAccepted, answer)
    if (request.answer !== undefined && !isDeepStrictEqual(request.answer, body))
      this.differing.push({ request, body })
    request.answer ??= body
    const results = request.isBatch ? (body as { results: Result[] }).results : [body as Result]
    for (const [i, message] of request.messages.entries()) {
      const { id, state } = results[i] ?? {}
      if (id === undefined || state === undefined) message.isRefused = true
      else Object.assign(message, { id, state, isRefused: false })
    }
  }

  #refuse(request: Request, wasAccepted: boolean, { status, body }: Answer): void {
    const isConflict = (body as Partial<Failure>).error?.code === 'idempotency_conflict'
    // What was once accepted stays so, whatever has changed since.
    if (wasAccepted || isConflict) this.differing.push({ request, status, body })
    if (request.answer !== undefined) return
    for (const message of request.messages) message.isRefused = true
  }

  #compose(): Request {
    const luck = this.#luck
    const isBatch = luck.chance(0.4)
    const made = Array.from({ length: isBatch ? luck.integer(1, 12) : 1 }, () => this.#composeOne())
    const items = made.map(({ item }) => item)
    const [alone = {}] = items
    const headers = { 'idempotency-key': `chaos-${this.#requests.length + 1}` }
    const call: Call = { method: 'POST', path: '/v1/messages', headers, body: isBatch ? { items } : alone }
    return { call, messages: made.map(({ message }) => message), isBatch }
  }

  #composeOne(): { message: Submitted; item: object } {
    const luck = this.#luck
    const token = `parcel-${this.messages.size + 1}`
    const message: Submitted = { token, userId: this.#pickUser(), ...this.#composeTimes(Date.now()) }
    this.messages.set(token, message)
    const said = luck.chance(0.6)
      ? { template_id: DEMO_TEMPLATE_ID, data: { keyword1: token, keyword2: '取件码', keyword4: '今天' } }
      : { template_id: PARCEL_TEMPLATE_ID, data: { keyword1: token } }
    const { userId, notBefore, notAfter } = message
    const item = {
      user_id: userId,
      ...said,
      ...(notBefore === undefined ? {} : { not_before: notBefore }),
      ...(notAfter === undefined ? {} : { not_after: notAfter }),
    }
    return { message, item }
  }

  #composeTimes(now: number): Pick<Submitted, 'notBefore' | 'notAfter' | 'isFar'> {
    const dice = this.#luck.between(0, 100)
    const soon = now + this.#luck.integer(500, 6_000)
    if (dice < 65) return {}
    if (dice < 80) return { notBefore: soon }
    if (dice < 90) return { notAfter: soon }
    if (dice < 95) return { notBefore: soon, notAfter: soon + this.#luck.integer(500, 6_000) }
    return { notBefore: now + HOUR_MS, isFar: true }
  }

  #pickUser(): number {
    const luck = this.#luck
    const recent = this.#uploader.recentUsers()
    if (recent.length > 0 && luck.chance(0.7)) return luck.pick(recent)
    // Now and then somebody whom nobody has heard of.
    return luck.integer(1, Math.ceil(this.#uploader.users * 1.03))
  }
}

interface Result {
  id?: number
  state?: 'queued' | 'no_permit'
}

interface Failure {
  error: { code: string }
}

/** The token in the data of a message, as WeChat got it or as it is stored; undefined for a reminder. */
export function tokenOf(data: unknown): string | undefined {
  const { keyword1 } = (data ?? {}) as { keyword1?: string | { value?: unknown } }
  const text = typeof keyword1 === 'object' ? keyword1.value : keyword1
  return typeof text === 'string' && TOKEN.test(text) ? text : undefined
}
