import { Queue, Worker } from 'bullmq'
import { createPool } from 'mysql2/promise'
import { Pool } from 'undici'
import { APP_ID, templateMessage } from '../candidates/account.js'
import { config, finish, ready } from '../rig/candidate.js'

/**
 * The daily run on BullMQ, the usual choice for jobs in Node: users in pages of 1,000 become jobs (jobId = user and day,
 * so that no user is queued twice), and a worker sends them. With `bookkeeping` each job also takes the user's oldest
 * permit in a transaction before the request and writes the result after it, as this service does, in a narrow table of
 * its own; without, it only sends. Redis keeps nothing on disk, a job is removed when it is done, and jobs are added while others are worked on.
 * Pools of 10, 32 and 64 connections, and READ COMMITTED, were no faster than one another (6,000 users, two rounds).
 */
const { databaseUrl, redisUrl, stubUrl, concurrency, bookkeeping, today } = config()
const PAGE = 1_000
const { hostname: host, port, password } = new URL(redisUrl)
const connection = {
  host,
  port: Number(port),
  password: decodeURIComponent(password),
  maxRetriesPerRequest: null,
}
const database = createPool({ uri: databaseUrl, connectionLimit: 32 })
const wechat = new Pool(stubUrl, { connections: concurrency })
const path = '/cgi-bin/message/wxopen/template/send?access_token=bench'
const queue = new Queue('remind', { connection })

async function send(openId, formId) {
  const { body } = await wechat.request({
    method: 'POST',
    path,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(templateMessage(openId, formId)),
  })
  const { errcode } = await body.json()
  if (errcode !== 0) throw new Error(`errcode ${errcode}`)
}

/** Takes the oldest permit before the request: permit, counter and message in one transaction. */
async function claim(userId) {
  const trx = await database.getConnection()
  try {
    await trx.beginTransaction()
    const [[permit]] = await trx.query(
      `SELECT id, open_id, form_id FROM wx_save_form_id
       WHERE app_id = ? AND user_id = ? AND status = 0 AND expire > ? ORDER BY expire, id LIMIT 1 FOR UPDATE`,
      [APP_ID, userId, Date.now()],
    )
    if (!permit) {
      await trx.rollback()
      return undefined
    }
    const [{ insertId }] = await trx.query(
      'INSERT INTO bench_reminder (business_date, user_id, permit_id, created_at) VALUES (?, ?, ?, ?)',
      [today, userId, permit.id, Date.now()],
    )
    await trx.query('UPDATE wx_save_form_id SET status = 1, message_id = ? WHERE id = ?', [
      insertId,
      permit.id,
    ])
    await trx.query(
      'UPDATE wx_message_push_status SET count = count - 1, last_date = ? WHERE app_id = ? AND user_id = ?',
      [today, APP_ID, userId],
    )
    await trx.commit()
    return { message: insertId, openId: permit.open_id, formId: permit.form_id }
  } finally {
    trx.release()
  }
}

async function settle(message) {
  await database.query(
    "UPDATE bench_reminder SET state = 'delivered', errcode = 0, settled_at = ? WHERE id = ?",
    [Date.now(), message],
  )
}

let done = 0
const worker = new Worker(
  'remind',
  async ({ data }) => {
    if (!bookkeeping) await send(data.openId, data.formId)
    else {
      const claimed = await claim(data.userId)
      if (!claimed) return
      await send(claimed.openId, claimed.formId)
      await settle(claimed.message)
    }
    done++
  },
  { connection, concurrency, autorun: false, removeOnComplete: { count: 0 } },
)

async function enqueue() {
  for (let after = 0; ; ) {
    const [users] = await database.query(
      `SELECT user_id FROM wx_message_push_status
       WHERE app_id = ? AND user_id > ? AND count > 0 AND last_date < ? ORDER BY user_id LIMIT ${PAGE}`,
      [APP_ID, after, today],
    )
    if (users.length === 0) return
    await queue.addBulk(
      users.map(({ user_id: userId }) => ({
        name: 'remind',
        data: { userId, openId: `oBench${userId}`, formId: `${userId}` },
        opts: { jobId: `${today}-${userId}` },
      })),
    )
    after = users.at(-1)?.user_id
  }
}

await database.query('DROP TABLE IF EXISTS bench_reminder')
await database.query(
  `CREATE TABLE bench_reminder (id bigint AUTO_INCREMENT PRIMARY KEY, business_date int NOT NULL,
     user_id bigint NOT NULL, permit_id bigint NOT NULL, state enum('sending', 'delivered') NOT NULL DEFAULT 'sending',
     errcode int NULL, created_at bigint NOT NULL, settled_at bigint NULL, UNIQUE KEY (business_date, user_id))`,
)
await queue.waitUntilReady()
await ready()
const startedAt = performance.now()
worker.run().catch((error) => {
  throw error
})
await enqueue()
await new Promise((resolve) => {
  const look = () => {
    queue.getJobCounts('waiting', 'active').then(
      ({ waiting = 0, active = 0 }) => {
        if (waiting + active === 0) resolve()
        else setTimeout(look, 50)
      },
      () => setTimeout(look, 50),
    )
  }
  look()
})
finish({ done, seconds: (performance.now() - startedAt) / 1000 })
