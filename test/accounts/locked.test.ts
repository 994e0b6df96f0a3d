import type { Knex } from 'knex'
import { expect, onTestFinished, test } from 'vitest'
import type { Account } from '../../src/account.js'
import { audit } from '../../src/operations/audit.js'
import { eventually } from '../helpers/eventually.js'
import { openPool } from '../helpers/rows.js'
import { A, B, useTwoAccounts } from '../helpers/two-accounts.js'
import { users } from '../helpers/users.js'

// @module-tag mysql

const USERS = 60
/** Six times as many as the pool has connections. */
const STUCK = 60
const two = useTwoAccounts('mysql')
/** A further account; nobody ever sends for it. */
const C: Account = { ...A, appId: 'wxGamma' }

/** As a DBA does who forgot to commit: rows of accounts that their calls and their jobs write. */
async function holdRowsOf(accounts: readonly Account[]): Promise<Knex.Transaction> {
  const pool = openPool(two.database)
  const holder = await pool.transaction()
  onTestFinished(async () => {
    if (!holder.isCompleted()) await holder.rollback()
    await pool.destroy()
  })
  for (const table of ['wx_user', 'wx_sign_in', 'wx_message_push_status', 'wx_save_form_id'])
    for (const { appId } of accounts)
      await holder.raw('SELECT * FROM ?? WHERE app_id = ? FOR UPDATE', [table, appId])
  return holder
}

const bind = ({ appId: app_id }: Account, userId: number) =>
  two.call('PUT', '/v1/users', { app_id, user_id: userId, open_id: `oHeld${userId}` })
const optOut = ({ appId: app_id }: Account, userId: number) =>
  two.call('PUT', `/v1/users/${userId}/opt-out`, { app_id, opted_out: true })

test.each([
  ['one account', [A]],
  ['two accounts', [A, C]],
])('rows of %s that somebody holds keep no call, page or run of another waiting', async (_, locked) => {
  await two.start([...locked, B])
  await two.has(A, users(1, USERS).permits(1))
  await two.has(B, users(1, USERS).subscriptions(1))
  for (const account of locked)
    for (let userId = 1; userId <= STUCK; userId++) expect((await bind(account, userId)).status).toBe(200)
  const holder = await holdRowsOf(locked)
  let ended = 0
  const stuck = locked.flatMap((account) =>
    Array.from({ length: STUCK }, async (_, i) => {
      const { status } = await optOut(account, i + 1)
      ended++
      return status
    }),
  )
  two.service.startSchedule()
  const { pool } = two.service.of(A.appId).sending.db.client
  await eventually('calls wait for the rows', () => pool.numUsed() >= 4 + locked.length)

  const report = { open_id: 'oSomebody', user_id: 900, template_id: B.templateId, result: 'accept' }
  const began = performance.now()
  for (const [method, path, body] of [
    ['POST', '/v1/subscriptions', { app_id: B.appId, ...report }],
    ['POST', '/v1/sign-ins', { app_id: B.appId, user_id: 900 }],
    ['GET', `/v1/permits?user_id=900&app_id=${B.appId}`, undefined],
    ['GET', `/v1/runs?app_id=${B.appId}`, undefined],
  ] as const)
    expect((await two.call(method, path, body)).status, path).toBeLessThan(300)
  await eventually('the run of B is done', async () => (await two.run(B))?.state === 'done')
  expect((await two.call('GET', '/metrics')).text).toMatch(/^reminder_database_up 1$/m)
  expect(performance.now() - began).toBeLessThan(5_000)
  expect(await two.states(B)).toEqual({ delivered: USERS })
  expect(ended).toBe(0)

  await holder.rollback()
  expect(new Set(await Promise.all(stuck))).toEqual(new Set([200]))
  expect(await audit(two.database.db, two.clock.now(), false)).toMatchObject({ ok: true })
})
