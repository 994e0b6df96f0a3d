import type { Knex } from 'knex'
import { VALIDITY_MARGIN_MS } from '../../src/books/index.js'
import { selectRows } from '../../src/db/sql.js'
import { audit } from '../../src/operations/audit.js'
import type { Delivery } from '../../src/sandbox/ledger.js'
import type { SendRequest } from '../../src/sandbox/send-request.js'
import { checkFollowers, checkFormIds, checkSubscriptions } from './check-channel.js'
import { findSubmittedViolations } from './check-submitted.js'
import type { ChaosOptions } from './options.js'
import { PARCEL_TEMPLATE_ID } from './parcel-template.js'
import { openIdOf } from './permit-sources.js'
import type { Disturbance } from './processes.js'
import { type Submitter, tokenOf } from './submitter.js'
import type { UnknownCounts } from './unknowns.js'
import type { Uploader } from './uploads.js'

/** What must not be, by name: the rows that show it. Every list must be empty. */
export interface Violations {
  /** Users to whom WeChat delivered more than once. */
  reminded_twice: object[]
  /** Messages with a second verdict after the one that ended them. */
  settled_twice: object[]
  /** Messages that nobody holds and nobody will send, and those that ended badly without saying why. */
  left_undelivered: object[]
  /** Delivered by our books, and WeChat knows nothing of it. */
  delivered_only_in_our_books: object[]
  /** Delivered by WeChat's ledger, and by ours given back or failed: a second message could follow. */
  delivered_and_given_back: object[]
  /** Told that it is stored, and it is not there. */
  permits_missing: object[]
  /** One permit on two messages. */
  permits_double_spent: object[]
  /** More permits than the user gave, so that WeChat refuses (43101). */
  permits_made_up: object[]
  /**
   * Unknown, though no request reached WeChat, and no kill or freeze between mark and request explains it; on a service
   * account, unknown although its client_msg_id still held.
   */
  lost_unsent: object[]
  /** Unknown, though WeChat said that it does not take the message now. */
  lost_to_busy: object[]
  /** Accepted by the service, and not there, not as it was submitted, or without an end. */
  submitted_lost: object[]
  /** One submitted message, twice: stored or delivered, or an Idempotency-Key with two answers. */
  submitted_twice: object[]
  /** Delivered although it was cancelled, refused, expired or dead, not to its user, or at another time than it said. */
  submitted_unwanted: object[]
  audit: object[]
  /** Users with a valid permit, or followers, who did not sign in, and no reminder of theirs says why. */
  passed_over: object[]
}

export interface MessageRow {
  id: number
  user_id: number
  state: string
  permit_id: number | null
  business_date: number | null
  attempts: number
  created_at: number
  settled_at: number | null
  errcode: number | null
  errmsg: string | null
  /** Of a submitted message. */
  token: string | undefined
  not_after: number | null
  claimed_at: number | null
}

export interface PermitRow {
  id: number
  user_id: number
  open_id: string
  form_id: string
  source: string
  template_id: string | null
  status: number
  expire: number
  message_id: number | null
}

const SHOWN = 20

export interface Evidence {
  channel: ChaosOptions['channel']
  ledger: Delivery[]
  requests: SendRequest[]
  uploader: Uploader
  submitter: Submitter
  disturbances: Disturbance[]
  /** Messages that a process left to another one, by its own log: its lease had run out while it lived. */
  overtaken: ReadonlySet<number>
}

/** Our tables beside WeChat's ledger and beside what the uploader was told. To be called when nobody is at work. */
export async function findViolations(
  db: Knex,
  evidence: Evidence,
  now: number,
): Promise<{ violations: Violations; unknown?: UnknownCounts; submittedUnknown?: UnknownCounts }> {
  const { channel, ledger, uploader } = evidence
  const messages = await findMessages(db)
  const permits = await selectRows<PermitRow>(
    db,
    'SELECT id, user_id, open_id, form_id, source, template_id, status, expire, message_id FROM wx_save_form_id',
  )
  const kept = messages.filter(({ state }) => state !== 'cancelled')
  const { checks } = await audit(db, now, false)
  const { unknown, submittedUnknown, ...byChannel } =
    channel === 'official'
      ? checkFollowers(messages, await findPersons(db), evidence)
      : channel === 'form_id'
        ? checkFormIds(messages, permits, evidence)
        : checkSubscriptions(messages, permits, evidence)
  const violations: Violations = {
    reminded_twice: groupsOfTwo(
      ledger.filter(({ data }) => tokenOf(data) === undefined),
      ({ open_id }) => open_id,
    ),
    settled_twice: [],
    left_undelivered: messages.filter(isLeftUndelivered),
    permits_double_spent: [
      ...groupsOfTwo(
        kept.filter(({ permit_id }) => permit_id !== null),
        ({ permit_id }) => permit_id,
      ),
      ...groupsOfTwo(permits, ({ form_id }) => form_id),
    ],
    ...byChannel,
    ...(await findSubmittedViolations(db, evidence)),
    audit: checks.filter(({ ok }) => !ok),
    passed_over: findPassedOver(
      channel === 'official' ? uploader.stored.values() : validOf(permits, now),
      kept,
      uploader,
      await findStopped(db),
    ),
  }
  for (const name of Object.keys(violations) as (keyof Violations)[]) violations[name].splice(SHOWN)
  return { violations, ...(unknown ? { unknown } : {}), ...(submittedUnknown ? { submittedUnknown } : {}) }
}

async function findMessages(db: Knex): Promise<MessageRow[]> {
  const rows = await selectRows<Omit<MessageRow, 'token'> & { data: string | null }>(
    db,
    `SELECT m.id, m.user_id, m.state, m.permit_id, m.business_date, m.attempts, m.created_at, m.settled_at, m.errcode,
       m.errmsg, s.data, s.not_after, s.claimed_at
     FROM wx_push_message m LEFT JOIN wx_submitted_message s ON s.message_id = m.id`,
  )
  return rows.map(({ data, ...row }) => ({
    ...row,
    token: data === null ? undefined : tokenOf(JSON.parse(data)),
  }))
}

function isLeftUndelivered({ state, errcode, errmsg }: MessageRow): boolean {
  if (state === 'delivered') return false
  if (state === 'failed' || state === 'unknown' || state === 'cancelled') {
    return errcode === null && (errmsg === null || errmsg === '')
  }
  return true
}

function validOf(permits: PermitRow[], now: number): { userId: number }[] {
  return permits
    .filter(({ status, expire }) => status === 0 && expire > now + VALIDITY_MARGIN_MS)
    .filter(({ template_id }) => template_id !== PARCEL_TEMPLATE_ID)
    .map(({ user_id }) => ({ userId: user_id }))
}

/** Of those who have what a reminder needs. */
function findPassedOver(
  ready: Iterable<{ userId: number }>,
  kept: MessageRow[],
  uploader: Uploader,
  stopped: Set<string>,
): object[] {
  const reminded = new Set(kept.filter((m) => m.business_date !== null).map(({ user_id }) => user_id))
  const users = new Set([...ready].map(({ userId }) => userId))
  return [...users]
    .filter((id) => !reminded.has(id) && !uploader.signedIn.has(id) && !stopped.has(openIdOf(id)))
    .map((user_id) => ({ user_id }))
}

export interface PersonRow {
  open_id: string
  user_id: number
}

function findPersons(db: Knex): Promise<PersonRow[]> {
  return selectRows<PersonRow>(db, 'SELECT open_id, user_id FROM wx_user WHERE user_id IS NOT NULL')
}

async function findStopped(db: Knex): Promise<Set<string>> {
  const rows = await selectRows<{ open_id: string }>(
    db,
    'SELECT open_id FROM wx_user WHERE opted_out_at IS NOT NULL OR blocked_at IS NOT NULL',
  )
  return new Set(rows.map(({ open_id }) => open_id))
}

export function groupsOfTwo<T extends object>(rows: T[], keyOf: (row: T) => unknown): object[] {
  const groups = new Map<unknown, T[]>()
  for (const row of rows) {
    const group = groups.get(keyOf(row))
    if (group) group.push(row)
    else groups.set(keyOf(row), [row])
  }
  return [...groups.values()].filter((group) => group.length > 1)
}
