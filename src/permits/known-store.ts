import type { Knex } from 'knex'
import {
  forUpdateNowait,
  isSqlite,
  MAX_LIST,
  mysqlHint,
  placeholders,
  selectRows,
  type Value,
} from '../db/sql.js'
import { chunks } from '../lib/chunks.js'
import { sortedUnique } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'

interface Uploaded {
  openId: string
  userId: UserId
  formId: string
}

/** What the tables know of some uploads to one account. */
export interface Known {
  /** open_id -> user; null if the open_id belongs to nobody yet. */
  users: Map<string, UserId | null>
  /** form_id -> who owns it. Empty where nobody looked for owners. */
  owners: Map<string, Owner>
  /** user -> unspent permits, of those who have a counter. */
  counts: Map<UserId, number>
}

export interface Owner {
  openId: string
  userId: UserId
}

/** What the tables know of these uploads, without locks. */
export function findKnown(db: Knex, appId: string, permits: Uploaded[]): Promise<Known> {
  return readKnown(db, appId, permits, { owners: true, lock: '' })
}

/**
 * findKnown, unless another transaction holds a row that an upload of these would have to wait for: the
 * person, the permit (committed or not), the counter. Then it fails at once, with a lock wait. Keeps no lock,
 * because it is a statement of its own. It reads by the keys, since a plan that reads more would meet the
 * locks on other rows. For a list on a small table MariaDB may still choose such a plan, but not for a single
 * permit. Without `owners` it does not look at permits.
 */
export function findKnownUnlocked(
  db: Knex,
  appId: string,
  permits: Uploaded[],
  owners = true,
): Promise<Known> {
  return readKnown(db, appId, permits, { owners, lock: forUpdateNowait(db) })
}

interface KnownRow {
  open_id: string | null
  form_id: string | null
  user_id: UserId | null
  count: number | null
}

/**
 * Persons, owners and counters in one statement: a round trip costs a small group more than the rows. MySQL
 * ignores trailing blanks in comparisons, and another program may have written some, so they are trimmed here.
 */
async function readKnown(
  db: Knex,
  appId: string,
  permits: Uploaded[],
  { owners, lock }: { owners: boolean; lock: string },
): Promise<Known> {
  const known: Known = { users: new Map(), owners: new Map(), counts: new Map() }
  const key = (name: string) => mysqlHint(db, `FORCE INDEX (${name})`)
  for (const chunk of chunks(permits, MAX_LIST)) {
    const looks: string[] = []
    const bindings: Value[] = []
    const look = (sqlOf: (list: string) => string, keys: (string | UserId)[]): void => {
      const sql = sqlOf(placeholders(keys.length))
      looks.push(isSqlite(db) ? sql : `(${sql}${lock})`)
      bindings.push(appId, ...keys)
    }
    look(
      (list) =>
        `SELECT RTRIM(open_id) AS open_id, NULL AS form_id, user_id, NULL AS count FROM wx_user${key('PRIMARY')}
         WHERE app_id = ? AND open_id IN (${list})`,
      sortedUnique(chunk.map(({ openId }) => openId)),
    )
    if (owners)
      look(
        (list) =>
          `SELECT RTRIM(open_id), RTRIM(form_id), user_id, NULL FROM wx_save_form_id${key('wx_save_form_id_permit_uq')}
           WHERE app_id = ? AND form_id IN (${list}) AND use_no = 1`,
        sortedUnique(chunk.map(({ formId }) => formId)),
      )
    look(
      (list) =>
        `SELECT NULL, NULL, user_id, count FROM wx_message_push_status${key('PRIMARY')}
         WHERE app_id = ? AND user_id IN (${list})`,
      sortedUnique(chunk.map(({ userId }) => userId)),
    )
    for (const row of await selectRows<KnownRow>(db, looks.join(' UNION ALL '), bindings)) note(known, row)
  }
  return known
}

function note({ users, owners, counts }: Known, { open_id, form_id, user_id, count }: KnownRow): void {
  if (open_id === null) counts.set(user_id ?? 0, count ?? 0)
  else if (form_id === null) users.set(open_id, user_id)
  else owners.set(form_id, { openId: open_id, userId: user_id ?? 0 })
}

/** The counters of users that have one, without locks. */
export async function findCounts(
  trx: Knex.Transaction,
  appId: string,
  userIds: UserId[],
): Promise<Map<UserId, number>> {
  const counts = new Map<UserId, number>()
  for (const chunk of chunks(userIds, MAX_LIST)) {
    const rows = await selectRows<{ user_id: UserId; count: number }>(
      trx,
      `SELECT user_id, count FROM wx_message_push_status
       WHERE app_id = ? AND user_id IN (${placeholders(chunk.length)})`,
      [appId, ...chunk],
    )
    for (const { user_id, count } of rows) counts.set(user_id, count)
  }
  return counts
}
