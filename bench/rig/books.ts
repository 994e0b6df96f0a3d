import { selectRows } from '../../src/db/sql.js'
import { audit } from '../../src/operations/audit.js'
import type { BenchDatabase } from './database.js'

/**
 * A fast run that remembers wrong is none. Each check throws if the books are not as the work that was measured should
 * have left them.
 */

/** Every user has one delivered reminder, and the audit finds nothing. */
export async function assertReminded(database: BenchDatabase, users: number, date: number): Promise<void> {
  await assertRemindedOn(database, users, date)
  await assertAudit(database)
}

/**
 * Without the audit, for a history that has no permits: as many users as were to be reached have one delivered reminder
 * of the day, for which a permit of theirs was spent and their counter has the day.
 */
export async function assertRemindedOn({ db }: BenchDatabase, users: number, date: number): Promise<void> {
  const [row] = await selectRows<{ users: number; reminders: number }>(
    db,
    `SELECT COUNT(DISTINCT m.user_id) AS users, COUNT(*) AS reminders FROM wx_push_message m
     JOIN wx_save_form_id f ON f.id = m.permit_id AND f.status = 1 AND f.message_id = m.id
     JOIN wx_message_push_status p ON p.app_id = m.app_id AND p.user_id = m.user_id AND p.last_date = m.business_date
     WHERE m.business_date = ? AND m.state = 'delivered'`,
    [date],
  )
  if (row?.users !== users || row.reminders !== users)
    throw new Error(`${row?.users} of ${users} users were reminded, with ${row?.reminders} messages`)
}

/** As many unspent permits are in the table as were acknowledged, and the counters say the same. */
export async function assertCounted({ db }: BenchDatabase, permits: number): Promise<void> {
  const [row] = await selectRows<{ unspent: number; counted: number | string | null }>(
    db,
    `SELECT (SELECT COUNT(*) FROM wx_save_form_id WHERE status = 0) AS unspent,
       (SELECT SUM(count) FROM wx_message_push_status) AS counted`,
  )
  if (row?.unspent !== permits || Number(row.counted) !== permits)
    throw new Error(
      `${row?.unspent} permits are in the table and ${row?.counted} counted, ${permits} were acknowledged`,
    )
}

/** A sweep has set all these permits to 2, left none, and counted all of them down. */
export async function assertSwept(database: BenchDatabase, permits: number): Promise<void> {
  const [row] = await selectRows<{ expired: number }>(
    database.db,
    'SELECT COUNT(*) AS expired FROM wx_save_form_id WHERE status = 2',
  )
  if (row?.expired !== permits) throw new Error(`${row?.expired} of ${permits} stale permits were expired`)
  await assertCounted(database, 0)
}

export async function assertAudit({ db }: BenchDatabase): Promise<void> {
  const { ok, checks } = await audit(db, Date.now(), false)
  if (ok) return
  const found = checks.filter((check) => !check.ok).map(({ name }) => name)
  throw new Error(`The audit finds ${found.join(', ')}`)
}
