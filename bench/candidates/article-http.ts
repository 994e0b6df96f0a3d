import fastify from 'fastify'
import { createPool, type ResultSetHeader, type RowDataPacket } from 'mysql2/promise'
import { config } from '../rig/candidate.js'
import { APP_ID } from './account.js'

/**
 * The ingestion as the article of 2019 has it: for each form_id an INSERT, then the counter read, and inserted or counted
 * up. Three statements on a pool, no transaction. Tells its address.
 */
const { databaseUrl } = config<{ databaseUrl: string }>()
const database = createPool({ uri: databaseUrl, connectionLimit: 10 })
const app = fastify()
const DAY_MS = 86_400_000

app.post<{ Body: { open_id: string; user_id: number; form_id: string } }>(
  '/v1/form-ids',
  async (request, reply) => {
    const { open_id, user_id, form_id } = request.body
    const now = Date.now()
    await database.query(
      `INSERT INTO wx_save_form_id (app_id, open_id, user_id, form_id, expire, created_at, updated_at)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
      [APP_ID, open_id, user_id, form_id, now + 7 * DAY_MS, now, now],
    )
    const [[counter]] = await database.query<RowDataPacket[]>(
      'SELECT id FROM wx_message_push_status WHERE app_id = ? AND user_id = ?',
      [APP_ID, user_id],
    )
    if (counter)
      await database.query<ResultSetHeader>(
        'UPDATE wx_message_push_status SET count = count + 1 WHERE id = ?',
        [counter.id],
      )
    else
      await database.query(
        `INSERT INTO wx_message_push_status (app_id, user_id, count, last_date, created_at, updated_at)
       VALUES (?, ?, 1, 0, ?, ?) ON DUPLICATE KEY UPDATE count = count + 1`,
        [APP_ID, user_id, now, now],
      )
    return reply.status(201).send({ accepted: 1 })
  },
)
await database.query('SELECT 1')
process.stdout.write(`${await app.listen({ host: '127.0.0.1', port: 0 })}\n`)
