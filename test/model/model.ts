import type { SendResult } from '../../src/wechat/client.js'
import { MINUTE_MS } from '../helpers/constants.js'

const MARGIN = MINUTE_MS
const ATTEMPTS = 6
const DOUBT_PAUSE = 5 * MINUTE_MS

export interface ModelPermit {
  formId: string
  userId: number
  expire: number
  /** As in the table: 0 unspent, 1 spent, 2 expired. */
  status: 0 | 1 | 2
}

export interface ModelMessage {
  id: number
  userId: number
  date: number
  formId: string
  state: 'queued' | 'sending' | 'retry' | 'delivered' | 'failed' | 'unknown' | 'cancelled'
  attempts: number
  doubt: boolean
  /** The claim by which somebody has it, or had it. */
  claimId: number
  dueAt: number
  lastDateBefore: number
  /** Whether a process has it whose lease goes on. */
  held: boolean
}

/** What an attempt comes to, by the rules of docs/delivery.md, told once more and as plainly as can be. */
type Ending =
  | 'delivered'
  | 'failed'
  | 'unknown'
  | 'given back'
  | 'next permit'
  | { retryAfter: number; doubt: boolean }

const TRANSIENT: Record<number, { doubt: boolean; after: number }> = {
  [-1]: { doubt: true, after: 0 },
  45011: { doubt: false, after: MINUTE_MS },
}
const CONFIGURATION: Record<number, { doubt: boolean }> = {
  40037: { doubt: false },
  45009: { doubt: false },
  404: { doubt: true },
}
export const OPT_OUT = 43101

function endingOf(attempts: number, doubt: boolean, result: SendResult): Ending {
  const again = (inDoubt: boolean, after: number): Ending => {
    if (attempts < ATTEMPTS) return { retryAfter: after, doubt: inDoubt }
    return inDoubt ? { retryAfter: Math.max(after, DOUBT_PAUSE), doubt: true } : 'given back'
  }
  if (result.kind === 'accepted') return 'delivered'
  if (result.kind === 'unreachable') return again(doubt, 0)
  if (result.kind === 'ambiguous') return again(true, 0)
  const { errcode } = result
  if (errcode === 41029) return doubt ? 'delivered' : 'next permit'
  if (errcode === 41028) return doubt ? 'unknown' : 'next permit'
  const transient = TRANSIENT[errcode]
  if (transient) return again(doubt || transient.doubt, transient.after)
  const configuration = CONFIGURATION[errcode]
  if (configuration) return doubt || configuration.doubt ? again(true, 0) : 'given back'
  return doubt ? 'unknown' : 'failed'
}

/** Users, permits and messages in memory. One account, the form_id channel, and all that is due claimed at once. */
export class Model {
  readonly permits: ModelPermit[] = []
  readonly messages: ModelMessage[] = []
  readonly lastDates = new Map<number, number>()
  readonly stopped = new Set<number>()
  readonly signedIn = new Set<string>()

  constructor(
    public now: number,
    private readonly windowEnd: (date: number) => number,
  ) {}

  isOpen(date: number): boolean {
    return this.now < this.windowEnd(date)
  }

  count(userId: number): number {
    return this.permits.filter((permit) => permit.userId === userId && permit.status === 0).length
  }

  upload(permit: Omit<ModelPermit, 'status'>): 'accepted' | 'duplicate' {
    if (this.permits.some(({ formId }) => formId === permit.formId)) return 'duplicate'
    this.permits.push({ ...permit, status: 0 })
    if (!this.lastDates.has(permit.userId)) this.lastDates.set(permit.userId, 0)
    return 'accepted'
  }

  /** Who is due, with the permit that is to be spent. */
  due(date: number): { userId: number; permit: ModelPermit }[] {
    return [...this.lastDates].flatMap(([userId, lastDate]) => {
      const permit = this.#oldest(userId)
      const isDue = lastDate < date && !this.stopped.has(userId) && !this.signedIn.has(`${userId} ${date}`)
      return permit && isDue ? [{ userId, permit }] : []
    })
  }

  claim(id: number, userId: number, permit: ModelPermit, date: number, claimId: number): void {
    permit.status = 1
    const lastDateBefore = this.lastDates.get(userId) ?? 0
    this.lastDates.set(userId, date)
    this.messages.push({
      id,
      userId,
      date,
      formId: permit.formId,
      state: 'sending',
      attempts: 0,
      doubt: false,
      claimId,
      dueAt: 0,
      lastDateBefore,
      held: true,
    })
  }

  /** Whether the request of whoever has the message by this claim may leave. */
  mark(id: number, claimId: number): boolean {
    const message = this.messages.find((each) => each.id === id)
    if (!message || !isInHands(message) || message.claimId !== claimId) return false
    message.state = 'sending'
    return true
  }

  /** A verdict of whoever has the message by this claim. Answers the next permit, if it goes on with one. */
  settle(
    id: number,
    claimId: number,
    seen: { attempts: number; doubt: boolean },
    result: SendResult | 'not sent',
  ): string | undefined {
    const message = this.messages.find((each) => each.id === id)
    if (result !== 'not sent' && result.kind === 'refused' && result.errcode === OPT_OUT && message)
      this.stopped.add(message.userId)
    if (!message || !isInHands(message) || message.claimId !== claimId) return undefined
    message.held = false
    if (result === 'not sent') {
      if (seen.doubt) this.#retry(message, 0, true)
      else this.#giveBack(message)
      return undefined
    }
    message.attempts++
    const ending = endingOf(seen.attempts + 1, seen.doubt, result)
    if (typeof ending === 'object') this.#retry(message, ending.retryAfter, ending.doubt)
    else if (ending === 'given back') this.#giveBack(message)
    else if (ending === 'next permit') return this.#nextPermit(message)
    else {
      message.state = ending
      message.doubt ||= ending === 'unknown'
    }
    return undefined
  }

  /** Those that nobody has: sent again, or ended because their window closed. */
  takeOver(claimId: number): { sent: ModelMessage[] } {
    const free = this.messages.filter(
      (message) =>
        (isInHands(message) && !message.held) || (message.state === 'retry' && message.dueAt <= this.now),
    )
    // The newest day first: giving back takes last_date from day to day.
    for (const message of free.sort((a, b) => b.date - a.date)) {
      if (message.state === 'sending') {
        message.attempts++
        message.doubt = true
      }
      message.claimId = claimId
      if (this.isOpen(message.date) && (message.doubt || this.#isWanted(message)))
        Object.assign(message, { state: 'queued', held: true })
      else if (message.doubt) message.state = 'unknown'
      else this.#giveBack(message)
    }
    return { sent: free.filter(({ state }) => state === 'queued') }
  }

  expire(): number {
    const stale = this.permits.filter(({ status, expire }) => status === 0 && expire < this.now)
    for (const permit of stale) permit.status = 2
    return stale.length
  }

  permit(formId: string): ModelPermit {
    const permit = this.permits.find((each) => each.formId === formId)
    if (!permit) throw new Error(`No permit ${formId}`)
    return permit
  }

  #oldest(userId: number): ModelPermit | undefined {
    return this.permits
      .filter(
        (permit) => permit.userId === userId && permit.status === 0 && permit.expire > this.now + MARGIN,
      )
      .sort((a, b) => a.expire - b.expire)[0]
  }

  #isWanted({ userId, date }: ModelMessage): boolean {
    return !this.stopped.has(userId) && !this.signedIn.has(`${userId} ${date}`)
  }

  #retry(message: ModelMessage, after: number, doubt: boolean): void {
    Object.assign(message, { state: 'retry', doubt, dueAt: this.now + after, held: false })
  }

  #giveBack(message: ModelMessage): void {
    const permit = this.permit(message.formId)
    permit.status = permit.expire > this.now ? 0 : 2
    if (this.lastDates.get(message.userId) === message.date)
      this.lastDates.set(message.userId, message.lastDateBefore)
    message.state = 'cancelled'
  }

  #nextPermit(message: ModelMessage): string | undefined {
    const permit = this.#oldest(message.userId)
    if (!permit) {
      message.state = 'failed'
      return undefined
    }
    permit.status = 1
    Object.assign(message, { formId: permit.formId, state: 'queued', held: true })
    return permit.formId
  }
}

function isInHands({ state }: ModelMessage): boolean {
  return state === 'queued' || state === 'sending'
}
