import { FORM_ID_LIFETIME_MS, VALIDITY_MARGIN_MS } from '../books/index.js'
import type { UserId } from '../lib/user-id.js'

const MAX_FORM_ID_LENGTH = 128
/**
 * The most unspent permits that a user may have. A user who submits a form 28 times a day for the 7 days that
 * a form_id lives stays below it; someone who invents form_ids is stopped there, since each costs the daily
 * run a request.
 */
export const MAX_UNSPENT_PERMITS = 200
/** How many messages each may be used for: a form submit is one, a successful payment three (WeChat: 模板消息). */
export const USES = { form: 1, pay: 3 } as const

/** One form_id as a caller sends it. */
export interface UploadedPermit {
  appId: string
  openId: string
  userId: UserId
  /** For a payment, its prepay_id. */
  formId: string | null
  source: 'form' | 'pay'
  page: string | undefined
  /** When the user submitted the form or paid, in ms; undefined = just now. */
  submittedAt: number | undefined
}

export type Acceptance = { ok: true; formId: string; expire: number } | { ok: false; reason: RejectionReason }

/** Why an upload is not a permit. The caller is told, so that the client can be fixed. */
export const REJECTION_REASONS = [
  'empty',
  'mock',
  'trial_version',
  'request_failed',
  'malformed',
  'transaction_id',
  'expired',
  'belongs_to_another_user',
  'open_id_of_another_user',
  'too_many',
] as const
export type RejectionReason = (typeof REJECTION_REASONS)[number]

/** What a careless client posts when `event.detail.formId` was missing. */
const EMPTY_WORDS = new Set(['', 'undefined', 'null'])
/** From the DevTools simulator, in any capitalisation (WeChat community, several reports). */
const MOCK = 'the formid is a mock one'
/** From develop and trial builds since base library 2.10.0. */
const TRIAL_VERSION = 'the formid is no longer available in develop or trial version of this mini program'
/** The documented form of a failed request, e.g. `requestFormId:fail deprecated` (report-submit-timeout, 2.6.2). */
const REQUEST_FAILED = 'requestformid:fail'
/** The texts above that are not form_ids, in lower case. */
export const NO_FORM_ID = { texts: [...EMPTY_WORDS, MOCK, TRIAL_VERSION], prefix: REQUEST_FAILED }
/**
 * The transaction number of a successful payment, mistaken for its prepay_id: WeChat answers 41028 (WeChat
 * community).
 */
const TRANSACTION_ID = /^4200\d{24}$/

/**
 * Decides whether an upload is a form_id or prepay_id, and until when it is valid: 7 days from the submit, or
 * from now if the submit lies in the future.
 */
export function accept(upload: UploadedPermit, now: number): Acceptance {
  const formId = upload.formId?.trim() ?? ''
  const reason = whyNoFormId(formId, upload.source)
  if (reason) return { ok: false, reason }
  const expire = Math.min(upload.submittedAt ?? now, now) + FORM_ID_LIFETIME_MS
  if (expire <= now + VALIDITY_MARGIN_MS) return { ok: false, reason: 'expired' }
  return { ok: true, formId, expire }
}

function whyNoFormId(formId: string, source: UploadedPermit['source']): RejectionReason | undefined {
  const text = formId.toLowerCase()
  if (EMPTY_WORDS.has(text)) return 'empty'
  if (text.startsWith(REQUEST_FAILED)) return 'request_failed'
  if (text === MOCK) return 'mock'
  if (text === TRIAL_VERSION) return 'trial_version'
  // Printable ASCII without blanks: WeChat was never seen to give anything else, and the column can hold
  // nothing else.
  if (formId.length > MAX_FORM_ID_LENGTH || !/^[\x21-\x7e]+$/.test(formId)) return 'malformed'
  if (source === 'pay' && TRANSACTION_ID.test(formId)) return 'transaction_id'
  return undefined
}
