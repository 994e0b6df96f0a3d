import { randomBytes } from 'node:crypto'
import { forgetOldest } from './bounds.js'
import { DAY } from './clock.js'

/** Seven days from the submit, counted as 7 x 24 hours (the page leaves open whether calendar days are meant). */
export const FORM_ID_LIFETIME = 7 * DAY
/** One successful payment is good for three messages. */
export const PREPAY_USES = 3

interface FormId {
  appId: string
  openId: string
  issuedAt: number
  usesLeft: number
}

/** The form_ids and prepay_ids that the platform has issued, and how often each may still be used. */
export class FormIds {
  readonly #kept: number
  readonly #known = new Map<string, FormId>()
  /** Treats a form_id that was never issued as fresh and as belonging to the first user it is used for. */
  acceptUnknown = false

  constructor(kept: number) {
    this.#kept = kept
  }

  get size(): number {
    return this.#known.size
  }

  /** Real ones are 32 lowercase hex characters. */
  issue(appId: string, openId: string, at: number): string {
    const formId = randomBytes(16).toString('hex')
    this.register(appId, openId, formId, at)
    return formId
  }

  issuePrepay(appId: string, openId: string, at: number): string {
    const time = new Date(at).toISOString().replace(/\D/g, '').slice(0, 14)
    const prepayId = `wx${time}${randomBytes(10).toString('hex')}`
    this.#add(prepayId, { appId, openId, issuedAt: at, usesLeft: PREPAY_USES })
    return prepayId
  }

  /** A known form_id keeps its history: what was used stays used. */
  register(appId: string, openId: string, formId: string, at: number): void {
    if (!this.#known.has(formId)) this.#add(formId, { appId, openId, issuedAt: at, usesLeft: 1 })
  }

  /** Uses it once. Look-up and use are one synchronous step: only one of two racing calls is accepted. */
  use(appId: string, openId: string, formId: unknown, now: number): undefined | 41028 | 41029 {
    if (typeof formId !== 'string') return 41028
    if (this.acceptUnknown && couldBeFormId(formId)) this.register(appId, openId, formId, now)
    const known = this.#known.get(formId)
    if (!known || known.appId !== appId || known.openId !== openId) return 41028
    if (now - known.issuedAt >= FORM_ID_LIFETIME) return 41028
    if (known.usesLeft === 0) return 41029
    known.usesLeft -= 1
    return undefined
  }

  clear(): void {
    this.#known.clear()
  }

  #add(formId: string, entry: FormId): void {
    this.#known.set(formId, entry)
    forgetOldest(this.#known, this.#kept)
  }
}

/** Excludes what clients send instead of a form_id: "the formId is a mock one", "requestFormId:fail …". */
function couldBeFormId(formId: string): boolean {
  return /^[\w-]{1,128}$/.test(formId) && formId !== 'undefined' && formId !== 'null'
}
