import { createPool, type RowDataPacket } from 'mysql2/promise'
import { Pool } from 'undici'
import { config, finish, ready } from '../rig/candidate.js'
import { APP_ID, templateMessage } from './account.js'

/**
 * The job as the article of 2019 has it: all due users in one SELECT, and for each of them its oldest form_id, the
 * request, and two UPDATEs. All at once (`unbounded`) or one after the other (`sequential`). Its author would keep
 * connections open and have the index on (user_id, expire), so both are here; and it counts down in SQL, so it loses no
 * updates. A pool of 40 connections was no faster than one of 10 (4,000 users, three rounds).
 */
const { databaseUrl, stubUrl, mode, today } = config<{
  databaseUrl: string
  stubUrl: string
  mode: 'unbounded' | 'sequential'
  today: number
}>()
const database = createPool({ uri: databaseUrl, connectionLimit: 10 })
const wechat = new Pool(stubUrl, { connections: 64 })
const path = '/cgi-bin/message/wxopen/template/send?access_token=bench'

async function remind(userId: number): Promise<void> {
  const [[permit]] = await database.query<RowDataPacket[]>(
    `SELECT id, open_id, form_id FROM wx_save_form_id
     WHERE app_id = ? AND user_id = ? AND status = 0 AND expire > ? ORDER BY expire LIMIT 1`,
    [APP_ID, userId, Date.now()],
  )
  if (!permit) return
  const { statusCode, body } = await wechat.request({
    method: 'POST',
    path,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(templateMessage(permit.open_id, permit.form_id)),
  })
  const { errcode } = (await body.json()) as { errcode: number }
  if (statusCode !== 200 || errcode !== 0) return
  await database.query('UPDATE wx_save_form_id SET status = 1 WHERE id = ?', [permit.id])
  await database.query(
    'UPDATE wx_message_push_status SET count = count - 1, last_date = ? WHERE app_id = ? AND user_id = ?',
    [today, APP_ID, userId],
  )
  done++
}

let done = 0
await database.query('SELECT 1')
await ready()
const startedAt = performance.now()
const [due] = await database.query<RowDataPacket[]>(
  'SELECT user_id FROM wx_message_push_status WHERE app_id = ? AND count > 0 AND last_date < ?',
  [APP_ID, today],
)
if (mode === 'unbounded') await Promise.all(due.map(({ user_id }) => remind(user_id)))
else for (const { user_id } of due) await remind(user_id)
finish({ done, seconds: (performance.now() - startedAt) / 1000 })
