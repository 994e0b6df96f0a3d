import { createPool, type RowDataPacket } from 'mysql2/promise'
import { config, finish, ready } from '../rig/candidate.js'
import { APP_ID } from './account.js'

/**
 * Expiry by others. `one transaction`: two statements over all stale rows, the fastest there is, with every row locked
 * until the end. `article`: as the article of 2019 has it, all stale permits read, and two UPDATEs for each.
 */
const { databaseUrl, mode } = config<{ databaseUrl: string; mode: 'one transaction' | 'article' }>()
const database = createPool({ uri: databaseUrl, connectionLimit: 10 })

async function inOneTransaction(now: number): Promise<number> {
  const trx = await database.getConnection()
  await trx.beginTransaction()
  await trx.query(
    `UPDATE wx_message_push_status p JOIN (
       SELECT user_id, COUNT(*) AS n FROM wx_save_form_id WHERE app_id = ? AND status = 0 AND expire < ? GROUP BY user_id
     ) AS stale ON stale.user_id = p.user_id SET p.count = p.count - stale.n WHERE p.app_id = ?`,
    [APP_ID, now, APP_ID],
  )
  const [{ affectedRows }] = (await trx.query(
    'UPDATE wx_save_form_id SET status = 2, updated_at = ? WHERE app_id = ? AND status = 0 AND expire < ?',
    [now, APP_ID, now],
  )) as [{ affectedRows: number }, unknown]
  await trx.commit()
  trx.release()
  return affectedRows
}

async function asTheArticle(now: number): Promise<number> {
  const [stale] = await database.query<RowDataPacket[]>(
    'SELECT * FROM wx_save_form_id WHERE app_id = ? AND status = 0 AND expire < ?',
    [APP_ID, now],
  )
  await Promise.all(
    stale.map(async ({ id, user_id }) => {
      await database.query('UPDATE wx_save_form_id SET status = 2 WHERE id = ?', [id])
      await database.query(
        'UPDATE wx_message_push_status SET count = count - 1 WHERE app_id = ? AND user_id = ?',
        [APP_ID, user_id],
      )
    }),
  )
  return stale.length
}

await database.query('SELECT 1')
await ready()
const startedAt = performance.now()
const done = await (mode === 'article' ? asTheArticle(Date.now()) : inOneTransaction(Date.now()))
finish({ done, seconds: (performance.now() - startedAt) / 1_000 })
