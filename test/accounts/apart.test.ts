import { describe, expect, test } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import { audit } from '../../src/operations/audit.js'
import { expireStale } from '../../src/permits/expire.js'
import { runReminders } from '../../src/reminders/run.js'
import { DAY_MS, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { A, B as SUBSCRIBE, useTwoAccounts } from '../helpers/two-accounts.js'

/** The same numbers and names in both, as two mini-programs of one backend may have them. */
const B = { ...SUBSCRIBE, channel: 'form_id' as const }
const USER = { open_id: 'oTheSameInBoth', user_id: 7 }
const FORM_ID = 'the-same-form-id-in-both-accounts'

const TABLES = ['wx_save_form_id', 'wx_message_push_status', 'wx_user', 'wx_sign_in', 'wx_push_message']

describe.each(dialects)('the same user and form_id in two accounts on %s', (dialect) => {
  const two = useTwoAccounts(dialect)
  const signal = new AbortController().signal

  /** All rows of an account that are about the user. */
  async function rowsOf({ appId }: typeof A): Promise<Record<string, unknown[]>> {
    const rows: Record<string, unknown[]> = {}
    for (const table of TABLES)
      rows[table] = await selectRows(
        two.database.db,
        `SELECT * FROM ${table} WHERE app_id = ? AND user_id = ? ORDER BY 1`,
        [appId, USER.user_id],
      )
    return rows
  }

  async function uploadToBoth(): Promise<void> {
    await two.start([A, B])
    for (const { appId: app_id } of [A, B]) {
      const { control } = two.wechatOf(app_id === A.appId ? A : B)
      control.registerFormId({ openId: USER.open_id, formId: FORM_ID })
      expect(await two.call('POST', '/v1/form-ids', { app_id, ...USER, form_id: FORM_ID })).toMatchObject({
        status: 201,
        body: { accepted: 1 },
      })
    }
  }

  const permitsOf = async ({ appId }: typeof A) => {
    const { body } = await two.call('GET', `/v1/permits?user_id=7&app_id=${appId}`)
    return (body as { permits: number }).permits
  }

  test('an upload, a sign-in and an opt-out count in the account that is named', async () => {
    await uploadToBoth()
    const before = await rowsOf(B)
    expect(await two.call('POST', '/v1/sign-ins', { app_id: A.appId, user_id: 7 })).toMatchObject({
      status: 201,
    })
    expect(await two.call('PUT', '/v1/users/7/opt-out', { app_id: A.appId, opted_out: true })).toMatchObject({
      status: 200,
      body: { stopped: true },
    })
    const again = { app_id: A.appId, ...USER, form_id: FORM_ID }
    expect(await two.call('POST', '/v1/form-ids', again)).toMatchObject({ body: { duplicates: 1 } })
    expect(await rowsOf(B)).toEqual(before)
    const signIn = await two.call('GET', `/v1/sign-ins?user_id=7&app_id=${B.appId}`)
    expect(signIn.body).toMatchObject({ signed_in: false })
    for (const path of ['', '/permits', '/messages', '/sign-ins', '/explain'])
      expect(await two.call('GET', `/v1/users/7${path}?app_id=${B.appId}`)).toMatchObject({ status: 200 })
    expect(await two.call('GET', `/v1/users?open_id=${USER.open_id}&app_id=${B.appId}`)).toMatchObject({
      body: { user_ids: [7] },
    })
  })

  test('a call that names none of several accounts is told so', async () => {
    await two.start([A, B])
    for (const [method, path, body] of [
      ['POST', '/v1/form-ids', { ...USER, form_id: FORM_ID }],
      ['POST', '/v1/sign-ins', { user_id: 7 }],
      ['PUT', '/v1/users', USER],
      ['PUT', '/v1/users/7/opt-out', { opted_out: true }],
      ['GET', '/v1/permits?user_id=7', undefined],
      ['GET', '/v1/users/7', undefined],
      ['GET', '/v1/runs', undefined],
      ['GET', '/v1/forecast', undefined],
      ['DELETE', '/v1/users/7', undefined],
    ] as const) {
      expect(await two.call(method, path, body), path).toMatchObject({
        status: 422,
        body: { error: { code: 'invalid_request', details: { field: 'app_id' } } },
      })
    }
    expect(await two.call('GET', '/v1/runs?app_id=wxGamma')).toMatchObject({
      status: 404,
      body: { error: { code: 'unknown_account' } },
    })
  })

  test('a run of one reminds its own user with its own permit', async () => {
    await uploadToBoth()
    const before = await rowsOf(B)
    const day = { date: TODAY, triggeredBy: 'manual', signal } as const
    const { sending } = two.service.of(A.appId)
    expect(await runReminders(sending, A, day)).toMatchObject({ delivered: 1 })
    expect(await rowsOf(B)).toEqual(before)
    expect([await permitsOf(A), await permitsOf(B)]).toEqual([0, 1])
    expect(two.wechatOf(B).control.ledger()).toEqual([])
    expect(await runReminders(two.service.of(B.appId).sending, B, day)).toMatchObject({ delivered: 1 })
    expect(await audit(two.database.db, two.clock.now(), false)).toMatchObject({ ok: true })
  })

  test('a sweep of one leaves the permits of the other', async () => {
    await uploadToBoth()
    const before = await rowsOf(B)
    const { db } = two.database
    two.clock.advance(8 * DAY_MS)
    const { sending } = two.service.of(A.appId)
    const sweep = { appId: A.appId, slot: two.clock.now(), triggeredBy: 'manual' } as const
    expect(await expireStale({ ...sending, signal }, sweep, two.clock.now())).toMatchObject({ expired: 1 })
    expect(await rowsOf(B)).toEqual(before)
    expect(await audit(db, two.clock.now(), false)).toMatchObject({ ok: true })
  })

  test('an erasure in one leaves the other whole', async () => {
    await uploadToBoth()
    const before = await rowsOf(B)
    expect(await two.call('DELETE', `/v1/users/7?app_id=${A.appId}`)).toMatchObject({
      status: 200,
      body: { open_ids: 1, permits: 1, complete: true },
    })
    expect(await rowsOf(B)).toEqual(before)
    expect(await permitsOf(B)).toBe(1)
    expect(await audit(two.database.db, two.clock.now(), false)).toMatchObject({ ok: true })
  })
})
