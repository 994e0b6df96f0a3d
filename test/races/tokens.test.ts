import type { Knex } from 'knex'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import { createSharedToken, type SharedToken } from '../../src/tokens/shared-token.js'
import { createTableStore } from '../../src/tokens/table-store.js'
import { dialects, useDatabase } from '../helpers/database.js'
import { openSteppingPool, type SteppingPool } from '../helpers/stepping-pool.js'
import { fetched, recordingLogger, type TokenEndpoint, tokenEndpoint } from '../helpers/tokens.js'

/**
 * Two processes that both find that the token is to be fetched. What each test was seen to catch:
 *
 * | taken out of the code | fails |
 * |---|---|
 * | `version = ?` in takeLease | the refresher that looked before the other one had finished |
 * | `lease_until <= now` in takeLease | the refresher that looked before the other one had begun |
 * | `lease_owner = ?` and `version = ?` in storeToken | the refresher that was frozen past its lease |
 * | `lease_owner = ?` in releaseLease | the lease of the heir |
 *
 * Frozen and killed refreshers as real processes: test/tokens/processes.test.ts.
 */
describe.each(dialects)('two token refreshers on %s', (dialect) => {
  const database = useDatabase(dialect)
  let wechat: TokenEndpoint
  const pools: SteppingPool[] = []

  beforeEach(() => {
    wechat = tokenEndpoint()
  })
  afterEach(async () => {
    for (const pool of pools.splice(0)) await pool.close()
  })

  function another(): SteppingPool {
    const pool = openSteppingPool(database)
    pools.push(pool)
    return pool
  }

  const refresher = (db: Knex, owner: string): SharedToken =>
    createSharedToken({
      store: createTableStore(db, 'wx1'),
      appId: 'wx1',
      fetchToken: wechat.fetch,
      owner,
      now: () => 1_000_000,
      logger: recordingLogger(),
      timing: { pollFirstMs: 2, pollLastMs: 10 },
    })

  const row = async () =>
    (
      await selectRows<{ token: string; version: number; lease_owner: string | null }>(
        database.db,
        'SELECT token, version, lease_owner FROM wx_access_token',
      )
    )[0]

  test('two refreshers of an account that never had a token fetch one', async () => {
    const [a, b] = [another(), another()]
    const stops = [a, b].map((pool) => pool.stop('before', /INSERT INTO wx_access_token/))
    const tokens = [refresher(a.db, 'a').get(), refresher(b.db, 'b').get()]
    // Both have seen that there is no row.
    for (const stop of stops) await stop.reached
    for (const stop of stops) stop.goOn()
    expect(await Promise.all(tokens)).toEqual(['token-1', 'token-1'])
    expect(wechat.calls).toBe(1)
  })

  test('fetch one token although the second looked before the first had finished', async () => {
    await refresher(database.db, 'old').get()
    const late = another()
    const stop = late.stop('before', /UPDATE wx_access_token SET lease_owner = \?/)
    const waiting = refresher(late.db, 'late').replace('token-1')
    await stop.reached
    expect(await refresher(database.db, 'first').replace('token-1')).toBe('token-2')
    stop.goOn()
    expect(await waiting).toBe('token-2')
    expect(wechat.calls).toBe(2)
    expect(await row()).toMatchObject({ token: 'token-2', version: 2, lease_owner: null })
  })

  test('fetch one token although the second looked before the first had begun', async () => {
    await refresher(database.db, 'old').get()
    const late = another()
    const stop = late.stop('before', /UPDATE wx_access_token SET lease_owner = \?/)
    const waiting = refresher(late.db, 'late').replace('token-1')
    await stop.reached
    const answer = wechat.nextLater()
    const first = refresher(database.db, 'first').replace('token-1')
    await expect.poll(async () => (await row())?.lease_owner).toBe('first')
    stop.goOn()
    await expect.poll(() => wechat.calls).toBe(2)
    answer(fetched('token-2'))
    expect(await Promise.all([first, waiting])).toEqual(['token-2', 'token-2'])
    expect(wechat.calls).toBe(2)
  })

  test('two token refreshers of which one was frozen past its lease: it neither stores its token nor ends the other’s lease', async () => {
    await refresher(database.db, 'old').get()
    const frozen = another()
    const stop = frozen.stop('before', /SET token = \?/)
    wechat.next(fetched('too late'))
    const late = refresher(frozen.db, 'frozen').replace('token-1')
    await stop.reached
    await database.db('wx_access_token').update({ lease_until: 0 })
    const answer = wechat.nextLater()
    const heir = refresher(database.db, 'heir').replace('token-1')
    await expect.poll(async () => (await row())?.lease_owner).toBe('heir')
    const released = frozen.stop('after', /SET lease_owner = NULL/)
    stop.goOn()
    await released.reached
    expect(await row()).toMatchObject({ token: 'token-1', version: 1, lease_owner: 'heir' })
    released.goOn()
    answer(fetched('token-2'))
    expect(await Promise.all([heir, late])).toEqual(['token-2', 'token-2'])
    expect(await row()).toMatchObject({ token: 'token-2', version: 2, lease_owner: null })
  })
})
