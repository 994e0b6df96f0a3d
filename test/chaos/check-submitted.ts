import type { Knex } from 'knex'
import { selectRows } from '../../src/db/sql.js'
import type { Delivery } from '../../src/sandbox/ledger.js'
import { type Evidence, groupsOfTwo, type Violations } from './check.js'
import { openIdOf } from './permit-sources.js'
import { LEASE_MS } from './processes.js'
import { type Submitted, type Submitter, tokenOf } from './submitter.js'

/** A stored message. */
export interface Row {
  id: number
  user_id: number
  token: string | undefined
  state: string
  not_before: number
  not_after: number
  requeues: number
  /** In wx_push_message. */
  message_state: string | null
}

type OfSubmitted = Pick<Violations, 'submitted_lost' | 'submitted_twice' | 'submitted_unwanted'>

/** How a message ended for its backend, and what its row in wx_push_message then says. */
const ENDS: Record<string, string> = {
  delivered: 'delivered',
  failed: 'failed',
  unknown: 'unknown',
  cancelled: 'cancelled',
  no_permit: 'cancelled',
  expired: 'cancelled',
  dead: 'cancelled',
}
/** A request that has left the process may stand still in it, frozen for two leases at most, before it arrives. */
const LATE_MS = LEASE_MS * 2 + 3_000

type Told = Pick<Submitter, 'messages' | 'differing'>

/** What the backend was told, beside the tables and WeChat's ledger. */
export async function findSubmittedViolations(
  db: Knex,
  { ledger, submitter }: Pick<Evidence, 'ledger' | 'submitter'>,
): Promise<OfSubmitted> {
  return compareSubmitted(await findRows(db), ledger, submitter)
}

export function compareSubmitted(rows: Row[], ledger: Delivery[], told: Told): OfSubmitted {
  const byToken = new Map(rows.map((row) => [row.token, row]))
  const deliveries = ledger.flatMap((delivery) => {
    const token = tokenOf(delivery.data)
    return token === undefined ? [] : [{ token, delivery }]
  })
  return {
    submitted_lost: [...told.messages.values()].filter((m) => isLost(m, byToken.get(m.token))),
    submitted_twice: [
      ...groupsOfTwo(rows, ({ token }) => token),
      ...groupsOfTwo(deliveries, ({ token }) => token),
      ...told.differing,
    ],
    submitted_unwanted: [
      ...deliveries.filter(({ token, delivery }) => isUnwanted(told, byToken.get(token), delivery)),
      ...rows.filter(({ token }) => told.messages.get(token ?? '')?.isRefused !== false),
    ],
  }
}

function isLost(submitted: Submitted, row: Row | undefined): boolean {
  if (submitted.id === undefined) return false
  if (row?.id !== submitted.id || row.user_id !== submitted.userId) return true
  if (ENDS[row.state] === undefined || ENDS[row.state] !== row.message_state) return true
  if (row.requeues === 0 && submitted.notAfter !== undefined && row.not_after !== submitted.notAfter)
    return true
  if (submitted.isCancelled) return row.state !== 'cancelled'
  return (submitted.state === 'no_permit') !== (row.state === 'no_permit')
}

function isUnwanted(told: Told, row: Row | undefined, { open_id, at }: Delivery): boolean {
  if (!row || (row.state !== 'delivered' && row.state !== 'unknown')) return true
  const submitted = told.messages.get(row.token ?? '')
  if (!submitted || submitted.isCancelled || open_id !== openIdOf(submitted.userId)) return true
  return at < row.not_before || at >= row.not_after + LATE_MS
}

async function findRows(db: Knex): Promise<Row[]> {
  const rows = await selectRows<Omit<Row, 'token'> & { data: string }>(
    db,
    `SELECT s.message_id AS id, s.user_id, s.data, s.state, s.not_before, s.not_after, s.requeues,
       m.state AS message_state
     FROM wx_submitted_message s LEFT JOIN wx_push_message m ON m.id = s.message_id`,
  )
  return rows.map(({ data, ...row }) => ({ ...row, token: tokenOf(JSON.parse(data)) }))
}
