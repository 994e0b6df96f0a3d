import type { Knex } from 'knex'
import { selectRows } from '../../src/db/sql.js'
import { audit } from '../../src/operations/audit.js'
import { VALIDITY_MARGIN_MS } from '../../src/permits/accept.js'
import type { Delivery } from '../../src/sandbox/ledger.js'
import { openIdOf, type Uploader } from './uploads.js'

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
  /** Delivered by WeChat's ledger, and by ours given back: a second message could follow. */
  delivered_and_given_back: object[]
  /** Told that it is stored, and it is not there. */
  permits_missing: object[]
  /** One permit on two messages. */
  permits_double_spent: object[]
  audit: object[]
  /** Users with a valid permit who did not sign in, and no reminder of theirs says why. */
  passed_over: object[]
}

interface MessageRow {
  id: number
  user_id: number
  open_id: string
  state: string
  permit_id: number
  business_date: number | null
  attempts: number
  fence: number
  errcode: number | null
  errmsg: string | null
}

interface PermitRow {
  id: number
  user_id: number
  open_id: string
  form_id: string
  status: number
  expire: number
  message_id: number | null
}

const SHOWN = 20

/** Our tables beside WeChat's ledger and beside what the uploader was told. To be called when nobody is at work. */
export async function findViolations(
  db: Knex,
  ledger: Delivery[],
  uploader: Uploader,
  now: number,
): Promise<Violations> {
  const messages = await selectRows<MessageRow>(
    db,
    `SELECT id, user_id, open_id, state, permit_id, business_date, attempts, fence, errcode, errmsg
     FROM wx_push_message`,
  )
  const permits = await selectRows<PermitRow>(
    db,
    'SELECT id, user_id, open_id, form_id, status, expire, message_id FROM wx_save_form_id',
  )
  const messageById = new Map(messages.map((message) => [message.id, message]))
  const permitById = new Map(permits.map((permit) => [permit.id, permit]))
  const permitByFormId = new Map(permits.map((permit) => [permit.form_id, permit]))
  const delivered = new Set(ledger.map(({ open_id, form_id }) => `${open_id} ${form_id}`))
  const kept = messages.filter(({ state }) => state !== 'cancelled')

  const { checks } = await audit(db, now, false)
  const { stopped } = await findStopped(db)
  const violations: Violations = {
    reminded_twice: groupsOfTwo(ledger, ({ open_id }) => open_id),
    settled_twice: [],
    left_undelivered: messages.filter(isLeftUndelivered),
    delivered_only_in_our_books: messages.filter(
      ({ state, open_id, permit_id }) =>
        state === 'delivered' && !delivered.has(`${open_id} ${permitById.get(permit_id)?.form_id}`),
    ),
    delivered_and_given_back: ledger.flatMap((delivery) => {
      const permit = permitByFormId.get(delivery.form_id ?? '')
      const message = messageById.get(permit?.message_id ?? 0)
      const isKept = permit?.status === 1 && message !== undefined && message.state !== 'cancelled'
      return isKept ? [] : [{ delivery, permit, message }]
    }),
    permits_missing: [...uploader.stored.values()].filter(({ form_id, user_id, open_id }) => {
      const permit = permitByFormId.get(form_id)
      return permit?.user_id !== user_id || permit.open_id !== open_id
    }),
    permits_double_spent: [
      ...groupsOfTwo(kept, ({ permit_id }) => permit_id),
      ...groupsOfTwo(permits, ({ form_id }) => form_id),
    ],
    audit: checks.filter(({ ok }) => !ok),
    passed_over: findPassedOver(permits, kept, uploader, stopped, now),
  }
  for (const name of Object.keys(violations) as (keyof Violations)[]) violations[name].splice(SHOWN)
  return violations
}

function isLeftUndelivered({ state, errcode, errmsg }: MessageRow): boolean {
  if (state === 'delivered') return false
  if (state === 'failed' || state === 'unknown' || state === 'cancelled') {
    return errcode === null && (errmsg === null || errmsg === '')
  }
  return true
}

function findPassedOver(
  permits: PermitRow[],
  kept: MessageRow[],
  uploader: Uploader,
  stopped: Set<string>,
  now: number,
): object[] {
  const reminded = new Set(kept.filter((m) => m.business_date !== null).map(({ user_id }) => user_id))
  const users = new Set(
    permits
      .filter(({ status, expire }) => status === 0 && expire > now + VALIDITY_MARGIN_MS)
      .map(({ user_id }) => user_id),
  )
  return [...users]
    .filter((id) => !reminded.has(id) && !uploader.signedIn.has(id) && !stopped.has(openIdOf(id)))
    .map((user_id) => ({ user_id }))
}

async function findStopped(db: Knex): Promise<{ stopped: Set<string> }> {
  const rows = await selectRows<{ open_id: string }>(
    db,
    'SELECT open_id FROM wx_user WHERE opted_out_at IS NOT NULL OR blocked_at IS NOT NULL',
  )
  return { stopped: new Set(rows.map(({ open_id }) => open_id)) }
}

function groupsOfTwo<T extends object>(rows: T[], keyOf: (row: T) => unknown): object[] {
  const groups = new Map<unknown, T[]>()
  for (const row of rows) {
    const group = groups.get(keyOf(row))
    if (group) group.push(row)
    else groups.set(keyOf(row), [row])
  }
  return [...groups.values()].filter((group) => group.length > 1)
}
