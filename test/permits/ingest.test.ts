import type { Knex } from 'knex'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { MAX_UNSPENT_PERMITS, type UploadedPermit } from '../../src/permits/accept.js'
import type { UploadOutcome } from '../../src/permits/decide-uploads.js'
import { createIngest, type Ingest } from '../../src/permits/ingest.js'
import { APP_ID, DAY_MS, NOW } from '../helpers/constants.js'
import { createTestDatabase, dialects, useDatabase } from '../helpers/database.js'
import {
  addPermits,
  counts,
  isNoLook,
  openPool,
  recordErrors,
  recordQueries,
  refuseRows,
  statuses,
} from '../helpers/rows.js'
import { startTcpProxy } from '../helpers/tcp-proxy.js'
import { readPermits, wrongCounters } from '../migrations/old-tables.js'

const permit = (
  userId: number,
  formId: string | null,
  values: Partial<UploadedPermit> = {},
): UploadedPermit => ({
  appId: APP_ID,
  openId: `o${userId}`,
  userId,
  formId,
  source: 'form',
  page: undefined,
  submittedAt: undefined,
  ...values,
})
const outcomesOf = (outcomes: UploadOutcome[]) =>
  outcomes.map((one) => (one.outcome === 'rejected' ? one.reason : one.outcome))

describe.each(dialects)('uploads on %s', (dialect) => {
  const database = useDatabase(dialect)
  const { db } = database
  const pools = [openPool(database), openPool(database)] as const
  let ingest: Ingest

  beforeEach(() => {
    ingest = createIngest(db)
  })
  afterAll(() => Promise.all(pools.map((pool) => pool.destroy())))

  const upload = async (...uploads: UploadedPermit[]) => outcomesOf(await ingest.upload(uploads, NOW))

  test('uploads are stored with their owner, page and expiry, and counted', async () => {
    expect(
      await upload(
        permit(1, 'F', { page: 'pages/签到?a=1', submittedAt: NOW - DAY_MS }),
        permit(2, 'G'),
        permit(1, 'H'),
      ),
    ).toEqual(['accepted', 'accepted', 'accepted'])
    expect(await db('wx_save_form_id').orderBy('form_id')).toMatchObject([
      {
        app_id: APP_ID,
        open_id: 'o1',
        user_id: 1,
        form_id: 'F',
        page: 'pages/签到?a=1',
        expire: NOW + 6 * DAY_MS,
      },
      { app_id: APP_ID, open_id: 'o2', user_id: 2, form_id: 'G', page: null, expire: NOW + 7 * DAY_MS },
      {
        status: 0,
        use_no: 1,
        source: 'form',
        message_id: 0,
        errcode: null,
        created_at: NOW,
        updated_at: NOW,
      },
    ])
    expect(await db('wx_message_push_status').orderBy('user_id')).toMatchObject([
      { app_id: APP_ID, user_id: 1, count: 2, last_date: 0 },
      { app_id: APP_ID, user_id: 2, count: 1, last_date: 0 },
    ])
  })

  test('uploads of a payment are three permits of their own, told once and counted three times', async () => {
    const payment = permit(1, 'wx20191119184932f7e6d5c4b3a2', { source: 'pay' })
    expect(await upload(payment, permit(1, 'F'), payment)).toEqual(['accepted', 'accepted', 'duplicate'])
    expect(await upload(payment)).toEqual(['duplicate'])
    expect(await upload({ ...payment, openId: 'o2', userId: 2 })).toEqual(['belongs_to_another_user'])
    expect(
      await db('wx_save_form_id')
        .where({ source: 'pay' })
        .orderBy('use_no')
        .select('use_no', 'status', 'expire'),
    ).toEqual([1, 2, 3].map((use_no) => ({ use_no, status: 0, expire: NOW + 7 * DAY_MS })))
    expect(await counts(db)).toEqual({ 1: 4 })
  })

  test('uploads are the same as rows of another program that end in a blank, where the database says so', async () => {
    await addPermits(db, [{ form_id: 'F ', open_id: 'o1 ', user_id: 1 }])
    await db('wx_user').insert({ app_id: APP_ID, open_id: 'o2 ', user_id: 7, created_at: 1, updated_at: 1 })
    const isOne = dialect === 'mysql'
    expect(await upload(permit(1, 'F'))).toEqual([isOne ? 'duplicate' : 'accepted'])
    expect(await upload(permit(2, 'G'))).toEqual([isOne ? 'open_id_of_another_user' : 'accepted'])
  })

  test('uploads of one user are stored up to what one person can collect, and those of the others beside them all', async () => {
    const invented = Array.from({ length: 3_000 }, (_, i) => ingest.upload([permit(1, `F${i}`)], NOW))
    expect(await upload(permit(2, 'G'))).toEqual(['accepted'])
    const outcomes = outcomesOf((await Promise.all(invented)).flat())
    expect(outcomes.filter((outcome) => outcome === 'accepted')).toHaveLength(MAX_UNSPENT_PERMITS)
    expect(outcomes.filter((outcome) => outcome === 'too_many')).toHaveLength(3_000 - MAX_UNSPENT_PERMITS)
    expect(await upload(permit(1, 'F0'), permit(1, 'H'))).toEqual(['duplicate', 'too_many'])
    expect(await counts(db)).toEqual({ 1: MAX_UNSPENT_PERMITS, 2: 1 })
  })

  test('uploads count a payment as its three messages, and take it whole or not at all', async () => {
    const uploads = Array.from({ length: MAX_UNSPENT_PERMITS - 2 }, (_, i) => permit(1, `F${i}`))
    await upload(...uploads)
    const payment = permit(1, 'wx20191119184932f7e6d5c4b3a2', { source: 'pay' })
    expect(await upload(payment, permit(1, 'G'), permit(1, 'H'), permit(1, 'I'))).toEqual([
      'too_many',
      'accepted',
      'accepted',
      'too_many',
    ])
    expect(await counts(db)).toEqual({ 1: MAX_UNSPENT_PERMITS })
  })

  test('uploads of one user in two processes at once stay within what one person can collect', async () => {
    const half = (pool: Knex, letter: string) =>
      createIngest(pool).upload(
        Array.from({ length: MAX_UNSPENT_PERMITS - 50 }, (_, i) => permit(1, `${letter}${i}`)),
        NOW,
      )
    await Promise.all([half(pools[0], 'A'), half(pools[1], 'B')])
    expect(await counts(db)).toEqual({ 1: MAX_UNSPENT_PERMITS })
  })

  test('uploads are answered in their order, junk among them', async () => {
    expect(
      await upload(
        permit(1, 'undefined'),
        permit(1, 'F'),
        permit(1, 'the formId is a mock one'),
        permit(2, 'F'),
        permit(1, ' F '),
        permit(1, 'old', { submittedAt: NOW - 8 * DAY_MS }),
        permit(1, 'f'),
        permit(1, null),
      ),
    ).toEqual([
      'empty',
      'accepted',
      'mock',
      'belongs_to_another_user',
      'duplicate',
      'expired',
      'accepted',
      'empty',
    ])
    expect(await counts(db)).toEqual({ 1: 2 })
  })

  test('uploads of nothing but junk ask the database nothing', async () => {
    const queries = recordQueries(pools[0])
    expect(outcomesOf(await createIngest(pools[0]).upload([permit(1, 'null')], NOW))).toEqual(['empty'])
    expect(queries).toEqual([])
  })

  test('uploads that come again change nothing', async () => {
    const uploads = [permit(1, 'F'), permit(2, 'G')]
    await ingest.upload(uploads, NOW)
    const before = await readPermits(db)
    expect(outcomesOf(await ingest.upload(uploads, NOW + DAY_MS))).toEqual(['duplicate', 'duplicate'])
    expect(await readPermits(db)).toEqual(before)
    expect(await counts(db)).toEqual({ 1: 1, 2: 1 })
  })

  test('uploads of a permit that was spent or ran out do not bring it back', async () => {
    await addPermits(db, [
      { user_id: 1, form_id: 'spent', status: 1 },
      { user_id: 1, form_id: 'stale', status: 2 },
    ])
    expect(await upload(permit(1, 'spent'), permit(1, 'stale'))).toEqual(['duplicate', 'duplicate'])
    expect(await statuses(db)).toEqual({ spent: 1, stale: 2 })
    expect(await counts(db)).toEqual({ 1: 0 })
  })

  test('uploads of somebody else’s form_id are refused, by user_id and by open_id', async () => {
    await upload(permit(1, 'F'))
    expect(await upload(permit(2, 'F'), permit(1, 'F', { openId: 'o1-too' }))).toEqual(
      Array(2).fill('belongs_to_another_user'),
    )
    expect(await counts(db)).toEqual({ 1: 1 })
  })

  test('bind an open_id to its user, and are refused for another user of it', async () => {
    expect(await upload(permit(1, 'F'), permit(2, 'G', { openId: 'o1' }))).toEqual([
      'accepted',
      'open_id_of_another_user',
    ])
    expect(await upload(permit(2, 'G', { openId: 'o1' }), permit(2, 'H'))).toEqual([
      'open_id_of_another_user',
      'accepted',
    ])
    expect(await counts(db)).toEqual({ 1: 1, 2: 1 })
    expect(await db('wx_user').orderBy('open_id').select('open_id', 'user_id')).toEqual([
      { open_id: 'o1', user_id: 1 },
      { open_id: 'o2', user_id: 2 },
    ])
  })

  test('uploads from two processes for one new open_id and two users leave permits with one of them', async () => {
    const [one, other] = pools.map((db) => createIngest(db)) as [Ingest, Ingest]
    const all = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        Promise.all([
          one.upload([permit(1, `one-${i}`, { openId: 'oNew' })], NOW),
          other.upload([permit(2, `other-${i}`, { openId: 'oNew' })], NOW),
        ]),
      ),
    )
    const outcomes = outcomesOf(all.flat(2)).sort()
    expect(outcomes).toEqual([...Array(10).fill('accepted'), ...Array(10).fill('open_id_of_another_user')])
    expect(Object.values(await counts(db))).toEqual([10])
  })

  test('uploads of a thousand items of known users are looked up once, with their form_ids and counters', async () => {
    const batch = (name: string) => Array.from({ length: 900 }, (_, i) => permit(i % 300, `${name}-${i}`))
    await ingest.upload(batch('first'), NOW)
    const queries = recordQueries(db)
    await ingest.upload(batch('second'), NOW)
    expect(queries.filter(({ sql }) => /FROM wx_user/.test(sql))).toHaveLength(1)
    expect(queries.filter(({ sql }) => /SELECT/.test(sql))).toHaveLength(1)
  })

  test('uploads that come again are looked for beforehand once the first of them was found', async () => {
    const uploads = [permit(1, 'F'), permit(2, 'G')]
    await upload(...uploads)
    await upload(...uploads)
    const queries = recordQueries(db)
    expect(await upload(...uploads, permit(3, 'H'))).toEqual(['duplicate', 'duplicate', 'accepted'])
    expect(queries.filter(({ sql }) => sql.includes('INTO wx_save_form_id'))).toHaveLength(1)
    expect(await counts(db)).toEqual({ 1: 1, 2: 1, 3: 1 })
  })

  test('uploads for a person who logged in before anybody had a user for them bind the person', async () => {
    await db('wx_user').insert({ app_id: APP_ID, open_id: 'o1', created_at: NOW, updated_at: NOW })
    expect(await upload(permit(1, 'F'), permit(2, 'G'))).toEqual(['accepted', 'accepted'])
    expect(await db('wx_user').select('open_id', 'user_id').orderBy('open_id')).toEqual([
      { open_id: 'o1', user_id: 1 },
      { open_id: 'o2', user_id: 2 },
    ])
  })

  test('uploads of one form_id to two accounts are two permits', async () => {
    expect(await upload(permit(1, 'F'), permit(1, 'F', { appId: 'wxB' }))).toEqual(['accepted', 'accepted'])
    expect([await counts(db), await counts(db, 'wxB')]).toEqual([{ 1: 1 }, { 1: 1 }])
  })

  test('uploads in batches, several at once, with users in common, are each stored once', async () => {
    const batches = Array.from({ length: 30 }, (_, batch) =>
      Array.from({ length: 100 }, (_, n) => permit((batch * 37 + n * 7) % 400, `form-${batch}-${n}`)),
    )
    const errors = recordErrors(db)
    const outcomes = await Promise.all(batches.map((batch) => upload(...batch)))
    expect(new Set(outcomes.flat())).toEqual(new Set(['accepted']))
    expect(errors).toEqual([])
    expect(await readPermits(db)).toHaveLength(3_000)
    expect(await wrongCounters(db)).toEqual([])
  })

  test('uploads may be more than fit in one statement', async () => {
    const uploads = Array.from({ length: 2_500 }, (_, n) => permit(n % 1_200, `form-${n}`))
    expect(new Set(await upload(...uploads))).toEqual(new Set(['accepted']))
    expect(await upload(...uploads.slice(0, 1_500))).toEqual(Array(1_500).fill('duplicate'))
    expect(await wrongCounters(db)).toEqual([])
  })

  test('uploads of many callers at once end in few transactions', async () => {
    const queries = recordQueries(db)
    const callers = Array.from({ length: 400 }, (_, n) => upload(permit(n % 50, `form-${n}`)))
    const outcomes = (await Promise.all(callers)).flat()
    expect(outcomes).toEqual(Array(400).fill('accepted'))
    const commits = queries.filter(({ sql }) => /commit;/i.test(sql))
    expect(commits.length).toBeGreaterThan(0)
    expect(commits.length).toBeLessThan(5)
    expect(await wrongCounters(db)).toEqual([])
  })

  test('uploads of callers who come together are committed in two groups at once, where there are connections', async () => {
    const groups: number[] = []
    const sharing = createIngest(db, ({ permits }) => groups.push(permits))
    const errors = recordErrors(db, isNoLook)
    const queries = recordQueries(db)
    const callers = Array.from({ length: 64 }, (_, n) => sharing.upload([permit(n, `form-${n}`)], NOW))
    expect(outcomesOf((await Promise.all(callers)).flat())).toEqual(Array(64).fill('accepted'))
    expect(groups).toEqual(dialect === 'mysql' ? [32, 32] : [64])
    // Both have looked before either is committed.
    const words = queries.flatMap(({ sql }) => /NOWAIT|COMMIT/.exec(sql)?.[0] ?? [])
    if (dialect === 'mysql') expect(words.slice(0, 2)).toEqual(['NOWAIT', 'NOWAIT'])
    expect(errors).toEqual([])
    expect(await wrongCounters(db)).toEqual([])
  })

  test('uploads of one open_id for many users, by callers who come together, bind it to one of them at the first try', async () => {
    const errors = recordErrors(db, isNoLook)
    const callers = Array.from({ length: 64 }, (_, n) => upload(permit(n, `form-${n}`, { openId: 'o' })))
    const outcomes = (await Promise.all(callers)).flat()
    expect(outcomes).toEqual(['accepted', ...Array(63).fill('open_id_of_another_user')])
    expect(errors).toEqual([])
    expect(await wrongCounters(db)).toEqual([])
  })

  test('uploads of callers who come together again and again, with users in common, meet no deadlock', async () => {
    const errors = recordErrors(db, isNoLook)
    const caller = async (n: number): Promise<string[]> => {
      const outcomes: string[] = []
      for (let i = 0; i < 12; i++)
        outcomes.push(...(await upload(permit((n * 13 + i * 7) % 90, `form-${n}-${i}`))))
      return outcomes
    }
    const outcomes = await Promise.all(Array.from({ length: 96 }, (_, n) => caller(n)))
    expect(outcomes.flat()).toEqual(Array(96 * 12).fill('accepted'))
    expect(errors).toEqual([])
    expect(await readPermits(db)).toHaveLength(96 * 12)
    expect(await wrongCounters(db)).toEqual([])
  })

  test('uploads of one form_id by several callers at once count once', async () => {
    const callers = Array.from({ length: 30 }, () => upload(permit(1, 'F'), permit(1, 'G')))
    const outcomes = (await Promise.all(callers)).flat()
    expect(outcomes.filter((outcome) => outcome === 'accepted')).toHaveLength(2)
    expect(outcomes.filter((outcome) => outcome === 'duplicate')).toHaveLength(58)
    expect(await counts(db)).toEqual({ 1: 2 })
  })

  test('uploads of the same form_ids in two processes count once', async () => {
    const [one, other] = pools.map((db) => createIngest(db)) as [Ingest, Ingest]
    for (let round = 0; round < 12; round++) {
      const uploads = Array.from({ length: 40 }, (_, n) => permit(n % 7, `form-${round}-${n}`))
      const outcomes = await Promise.all([
        one.upload(uploads, NOW),
        other.upload([...uploads].reverse(), NOW),
        other.upload(uploads.slice(10), NOW),
      ])
      const accepted = outcomes.flat().filter(({ outcome }) => outcome === 'accepted')
      expect(accepted).toHaveLength(40)
    }
    expect(await wrongCounters(db)).toEqual([])
  })

  test('uploads of one form_id by two users in two processes have one owner', async () => {
    const [one, other] = pools.map((db) => createIngest(db)) as [Ingest, Ingest]
    for (let round = 0; round < 10; round++) {
      const outcomes = await Promise.all([
        one.upload([permit(1, `form-${round}`)], NOW),
        other.upload([permit(2, `form-${round}`)], NOW),
      ])
      expect(outcomes.flatMap(outcomesOf).sort()).toEqual(['accepted', 'belongs_to_another_user'])
    }
    expect(await wrongCounters(db)).toEqual([])
  })

  test('uploads with a poisonous one among them fail alone', async () => {
    const refused = await refuseRows(db, 'wx_save_form_id', 'INSERT', "NEW.form_id = 'poison'")
    try {
      const callers = [permit(1, 'F'), permit(2, 'poison'), permit(3, 'G'), permit(1, 'H')].map((one) =>
        upload(one),
      )
      const ends = await Promise.allSettled(callers)
      expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
      expect(await counts(db)).toEqual({ 1: 2, 3: 1 })
      expect(Object.keys(await statuses(db)).sort()).toEqual(['F', 'G', 'H'])
    } finally {
      await refused.allow()
    }
  })

  test('whose counters cannot be written are not stored', async () => {
    const refused = await refuseRows(db, 'wx_message_push_status', 'INSERT', 'NEW.user_id > 0')
    try {
      const ends = await Promise.allSettled([upload(permit(1, 'F')), upload(permit(2, 'G'), permit(1, 'H'))])
      expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
      expect(await readPermits(db)).toEqual([])
    } finally {
      await refused.allow()
    }
    expect(await upload(permit(1, 'F'))).toEqual(['accepted'])
  })

  test('uploads are refused while too many wait, and taken again afterwards', async () => {
    await addPermits(db, [{ user_id: 1 }])
    const uploads = Array.from({ length: 1_000 }, (_, n) => permit(n + 1, `form-${n}`))
    const busy = await db.transaction()
    await busy.raw('UPDATE wx_message_push_status SET count = count WHERE user_id = 1')
    const callers = Array.from({ length: 60 }, () => ingest.upload(uploads, NOW).catch((error) => error.code))
    const refused = await Promise.race(callers.slice(-1))
    expect(refused).toBe('overloaded')
    await busy.rollback()
    const answers = await Promise.all(callers)
    const stored = answers.filter((answer) => Array.isArray(answer))
    expect(stored.length).toBeGreaterThanOrEqual(50)
    expect(answers.filter((answer) => answer === 'overloaded')).toHaveLength(60 - stored.length)
    expect(await counts(db)).toMatchObject({ 1: 2, 2: 1, 1000: 1 })
    expect(await upload(permit(1, 'later'))).toEqual(['accepted'])
  })

  test('uploads are all committed when their ingest is drained', async () => {
    const uploads = Array.from({ length: 20 }, (_, n) => upload(permit(n, `form-${n}`)))
    await ingest.drain()
    expect(await readPermits(db)).toHaveLength(20)
    await Promise.all(uploads)
  })
})

describe('uploads to a MySQL that goes away', { tags: ['mysql'] }, () => {
  test('uploads to a MySQL that goes away are each answered with the error, and none is half stored', async () => {
    const database = await createTestDatabase('mysql')
    const proxy = await startTcpProxy(database.url)
    const cutDb = openPool(proxy)
    try {
      const ingest = createIngest(cutDb)
      await ingest.upload([permit(1, 'before')], NOW)
      proxy.cutAt('INSERT INTO wx_message_push_status')
      const callers = Array.from({ length: 30 }, (_, n) => ingest.upload([permit(n, `form-${n}`)], NOW))
      const ends = await Promise.allSettled(callers)
      expect(new Set(ends.map(({ status }) => status))).toEqual(new Set(['rejected']))
      expect(await statuses(database.db)).toEqual({ before: 0 })
      expect(await wrongCounters(database.db)).toEqual([])

      proxy.mend()
      expect(outcomesOf(await ingest.upload([permit(1, 'before'), permit(2, 'after')], NOW))).toEqual([
        'duplicate',
        'accepted',
      ])
    } finally {
      await cutDb.destroy()
      await proxy.close()
      await database.close()
    }
  })
})
