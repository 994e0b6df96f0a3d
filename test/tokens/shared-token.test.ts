import type { Knex } from 'knex'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openDatabase } from '../../src/db/connect.js'
import { databaseNow, execute, selectRows } from '../../src/db/sql.js'
import { createSharedToken, type SharedToken } from '../../src/tokens/shared-token.js'
import { createTableStore } from '../../src/tokens/table-store.js'
import type { TokenTiming } from '../../src/tokens/timing.js'
import { TokenError } from '../../src/wechat/token-error.js'
import { MINUTE_MS } from '../helpers/constants.js'
import { dialects, useDatabase } from '../helpers/database.js'
import { fetched, recordingLogger, refused, type TokenEndpoint, tokenEndpoint } from '../helpers/tokens.js'

const quick: Partial<TokenTiming> = {
  attemptPauseMs: 2,
  pollFirstMs: 2,
  pollLastMs: 5,
  waitLimitMs: 60_000,
  // Ends only where a test lets it, however long the others take.
  leaseMs: 60_000,
}

describe.each(dialects)('the shared token on %s', (dialect) => {
  const database = useDatabase(dialect)
  const { db } = database
  let pools: Knex[] = []
  let wechat: TokenEndpoint
  let logger: ReturnType<typeof recordingLogger>
  let now: number

  beforeEach(() => {
    wechat = tokenEndpoint()
    logger = recordingLogger()
    now = 1_000_000
  })
  afterEach(async () => {
    await Promise.all(pools.map((pool) => pool.destroy()))
    pools = []
  })

  /** What one process has: its own memory, its own owner id, and if asked its own pool. */
  function startProcess(
    options: { owner?: string; pool?: Knex; timing?: Partial<TokenTiming> } = {},
  ): SharedToken {
    return createSharedToken({
      store: createTableStore(options.pool ?? db, 'wx1'),
      appId: 'wx1',
      fetchToken: wechat.fetch,
      owner: options.owner ?? `process-${Math.random()}`,
      now: () => now,
      logger,
      timing: { ...quick, ...options.timing },
    })
  }

  function startProcessWithPool(): SharedToken {
    const pool = openDatabase(database.url)
    pools.push(pool)
    return startProcess({ pool })
  }

  /** Lets time pass in the database, as far as the row shows, and in memory. */
  async function pass(ms: number): Promise<void> {
    now += ms
    await execute(
      db,
      `UPDATE wx_access_token SET expires_at = expires_at - ?, refreshed_at = refreshed_at - ?,
         lease_until = CASE WHEN lease_until > ? THEN lease_until - ? ELSE lease_until END`,
      [ms, ms, ms, ms],
    )
  }

  async function row(): Promise<Record<string, unknown>> {
    const [found] = await selectRows<Record<string, unknown>>(
      db,
      `SELECT token, version, lease_owner, lease_until, expires_at - ${databaseNow(db)} AS remaining FROM wx_access_token`,
    )
    return found ?? {}
  }

  /** A lease held by a process that does nothing more. */
  async function leaseOf(owner: string, ms: number): Promise<void> {
    await execute(db, `UPDATE wx_access_token SET lease_owner = ?, lease_until = ${databaseNow(db)} + ?`, [
      owner,
      ms,
    ])
  }

  describe('in one process', () => {
    test('the shared token in one process is fetched once for any number of callers at once, and kept', async () => {
      const token = startProcess()
      expect(new Set(await Promise.all(Array.from({ length: 100 }, () => token.get())))).toEqual(
        new Set(['token-1']),
      )
      expect(await token.get()).toBe('token-1')
      expect(wechat.calls).toBe(1)
      expect(token.counters()).toMatchObject({ refreshed: 1, failed: 0 })
      expect(await row()).toMatchObject({ token: 'token-1', version: 1, lease_owner: null, lease_until: 0 })
    })

    test('the shared token in one process is taken from memory without a query', async () => {
      const pool = openDatabase(database.url)
      const token = startProcess({ pool })
      await token.get()
      await pool.destroy()
      expect(await token.get()).toBe('token-1')
      expect(await token.replace('token-0')).toBe('token-1')
    })

    test('the shared token in one process is replaced behind the callers shortly before its end', async () => {
      const token = startProcess()
      await token.get()
      await pass(114 * MINUTE_MS)
      expect(await token.get()).toBe('token-1')
      expect(wechat.calls).toBe(1)
      await pass(2 * MINUTE_MS)
      expect(await token.get()).toBe('token-1')
      await token.close()
      expect(await token.get()).toBe('token-2')
      expect(wechat.calls).toBe(2)
    })

    test('the shared token in one process is waited for once it has expired', async () => {
      const token = startProcess()
      await token.get()
      await pass(121 * MINUTE_MS)
      expect(await token.get()).toBe('token-2')
    })

    test('the shared token in one process with five minutes left that comes again is not asked for at once again', async () => {
      const token = startProcess()
      wechat.next(fetched('same', 5 * MINUTE_MS), fetched('same', 5 * MINUTE_MS))
      await token.get()
      await pass(2 * MINUTE_MS)
      await token.get()
      await token.close()
      expect(wechat.calls).toBe(1)
      await pass(1 * MINUTE_MS)
      await token.get()
      await token.close()
      expect(wechat.calls).toBe(2)
      for (let call = 0; call < 20; call++) await token.get()
      await token.close()
      expect(wechat.calls).toBe(2)
    })

    test('the shared token in one process that a process before it has stored is used without asking WeChat', async () => {
      await startProcess().get()
      expect(await startProcess().get()).toBe('token-1')
      expect(wechat.calls).toBe(1)
    })
  })

  describe('in many processes', () => {
    test('the shared token in many processes is fetched once, each with its own pool', async () => {
      wechat.takesMs = 30
      const processes = [1, 2, 3, 4].map(startProcessWithPool)
      const tokens = await Promise.all(processes.flatMap((process) => [process.get(), process.get()]))
      expect(new Set(tokens)).toEqual(new Set(['token-1']))
      expect(wechat.calls).toBe(1)
    })

    test('the shared token in many processes is replaced once when all of them meet the refusal together', async () => {
      wechat.takesMs = 30
      const processes = [1, 2, 3, 4].map(startProcessWithPool)
      await Promise.all(processes.map((process) => process.get()))
      const tokens = await Promise.all(
        processes.flatMap((process) => [process.replace('token-1'), process.replace('token-1')]),
      )
      expect(new Set(tokens)).toEqual(new Set(['token-2']))
      expect(wechat.calls).toBe(2)
      expect(await row()).toMatchObject({ token: 'token-2', version: 2 })
    })

    test('the shared token in many processes is waited for while another process fetches it', async () => {
      const answer = wechat.nextLater()
      const fetching = startProcess().get()
      await expect.poll(async () => (await row()).lease_owner ?? null).not.toBeNull()
      const waiting = startProcess().get()
      answer(fetched('slow'))
      expect(await Promise.all([fetching, waiting])).toEqual(['slow', 'slow'])
      expect(wechat.calls).toBe(1)
    })

    test('the shared token in many processes is fetched by the next one when the lease of a dead one lapses', async () => {
      await startProcess().get()
      await pass(121 * MINUTE_MS)
      const started = performance.now()
      await leaseOf('dead', 150)
      expect(await startProcess().get()).toBe('token-2')
      expect(performance.now() - started).toBeGreaterThan(100)
      expect(await row()).toMatchObject({ lease_owner: null })
    })

    test('still works while another process replaces it early', async () => {
      await startProcess().get()
      await pass(117 * MINUTE_MS)
      await leaseOf('busy', 60_000)
      expect(await startProcess().get()).toBe('token-1')
      expect(wechat.calls).toBe(1)
    })

    test('the shared token in many processes is given up after a while when the lease neither lapses nor ends', async () => {
      await startProcess().get()
      await pass(121 * MINUTE_MS)
      await leaseOf('stuck', 600_000)
      await expect(startProcess({ timing: { waitLimitMs: 30 } }).get()).rejects.toMatchObject({
        class: 'transient',
        message: expect.stringContaining('another process'),
      })
      expect(wechat.calls).toBe(1)
    })

    test('the shared token in many processes of a process that lost its lease is not written over the newer one', async () => {
      const answer = wechat.nextLater()
      const slow = startProcess().get()
      await expect.poll(async () => (await row()).lease_owner ?? null).not.toBeNull()
      await pass(59_950)
      expect(await startProcess().get()).toBe('token-1')
      answer(fetched('too late'))
      expect(await slow).toBe('token-1')
      expect(await row()).toMatchObject({ token: 'token-1', version: 1 })
    })

    test('the shared token in many processes is not asked for again by a process that lost its lease between two attempts', async () => {
      const answer = wechat.nextLater()
      const slow = startProcess().get()
      await expect.poll(async () => (await row()).lease_owner ?? null).not.toBeNull()
      await pass(59_950)
      await startProcess().get()
      answer(refused(-1))
      expect(await slow).toBe('token-1')
      expect(wechat.calls).toBe(2)
    })

    test('the shared token in many processes has the life that remains by the database, not that of a new one', async () => {
      await startProcess().get()
      await pass(60 * MINUTE_MS)
      const late = startProcess()
      await late.get()
      await pass(61 * MINUTE_MS)
      expect(await late.get()).toBe('token-2')
    })
  })

  describe('replaced after a refusal', () => {
    test('the shared token replaced after a refusal stays when the refused one is no longer the stored one', async () => {
      const token = startProcess()
      await token.get()
      expect(await token.replace('some older token')).toBe('token-1')
      expect(wechat.calls).toBe(1)
    })

    test('the shared token replaced after a refusal is taken over from the process that has replaced it already', async () => {
      const one = startProcess()
      const other = startProcess()
      await Promise.all([one.get(), other.get()])
      await one.replace('token-1')
      expect(await other.get()).toBe('token-1')
      expect(await other.replace('token-1')).toBe('token-2')
      expect(wechat.calls).toBe(2)
    })

    test('the shared token replaced after a refusal that comes back unchanged is a configuration fault, asked for once and not in a loop', async () => {
      const token = startProcess()
      wechat.next(fetched('same'), fetched('same'), fetched('same'))
      await token.get()
      const failures = await Promise.allSettled([1, 2, 3].map(() => token.replace('same')))
      failures.push(...(await Promise.allSettled([1, 2, 3].map(() => token.replace('same')))))
      expect(failures.map((failure) => failure.status === 'rejected' && failure.reason)).toEqual(
        Array(6).fill(expect.any(TokenError)),
      )
      await expect(token.replace('same')).rejects.toMatchObject({
        class: 'configuration',
        remedy: expect.stringContaining('WX_APP_ID'),
      })
      expect(wechat.calls).toBe(2)
      expect(await token.get()).toBe('same')
      expect(await row()).toMatchObject({ lease_owner: null })
    })

    test('the shared token replaced after a refusal that came back unchanged is asked for again after a pause', async () => {
      const token = startProcess()
      wechat.next(fetched('same'), fetched('same'))
      await token.get()
      await expect(token.replace('same')).rejects.toThrow()
      now += 6_000
      expect(await token.replace('same')).toBe('token-1')
    })

    test('the shared token replaced after a refusal that came back unchanged does not stand in the way of a new one when it expires', async () => {
      const token = startProcess()
      wechat.next(fetched('same', 3_000), fetched('same', 3_000))
      await token.get()
      await expect(token.replace('same')).rejects.toThrow()
      await pass(3_500)
      expect(await token.get()).toBe('token-1')
    })

    test('the shared token replaced after a refusal is not handed out again while no other can be had', async () => {
      const token = startProcess()
      await token.get()
      wechat.next(refused(40125))
      await expect(token.replace('token-1')).rejects.toMatchObject({ errcode: 40125 })
      await expect(token.get()).rejects.toMatchObject({ errcode: 40125 })
      now += 6_000
      expect(await token.replace('token-1')).toBe('token-2')
    })

    test('well before its time is counted once and logged, with when it was first seen', async () => {
      const [one, other] = [startProcess(), startProcess()]
      await Promise.all([one.get(), other.get()])
      now += 1_000
      await Promise.all([one.replace('token-1'), other.replace('token-1')])
      now += 1_000
      await one.replace('token-2')
      const deaths = logger.lines.filter(({ fields }) => fields.event === 'token.died_early')
      expect(deaths).toHaveLength(2)
      expect(deaths[0]).toMatchObject({ level: 'warn', message: expect.stringContaining('Another program') })
      expect(one.counters().earlyDeaths.count + other.counters().earlyDeaths.count).toBe(2)
      expect(one.counters().earlyDeaths.firstAt ?? other.counters().earlyDeaths.firstAt).toBeGreaterThan(
        1_000_000,
      )
    })

    test('near its end is no early death', async () => {
      const token = startProcess()
      await token.get()
      await pass(117 * MINUTE_MS)
      await token.replace('token-1')
      expect(wechat.calls).toBe(2)
      expect(logger.events()).not.toContain('token.died_early')
    })
  })

  describe('when the token endpoint fails', () => {
    test('when the token endpoint fails for a moment, it is asked again', async () => {
      wechat.next(refused(-1), { kind: 'ambiguous', reason: 'headers_timeout' })
      expect(await startProcess().get()).toBe('token-1')
      expect(wechat.calls).toBe(3)
    })

    test('when the token endpoint fails for longer, the callers get a passing error and the lease is free', async () => {
      wechat.next(refused(-1), refused(-1), { kind: 'unreachable', reason: 'dns', detail: 'ENOTFOUND' })
      const token = startProcess()
      await expect(token.get()).rejects.toMatchObject({
        code: 'token_unavailable',
        class: 'transient',
        retryable: true,
        message: expect.stringContaining('dns (ENOTFOUND)'),
      })
      expect(wechat.calls).toBe(3)
      expect(await row()).toMatchObject({ token: null, lease_owner: null, lease_until: 0 })
    })

    test('a run of messages does not ask for each of them', async () => {
      wechat.next(refused(40125))
      const token = startProcess()
      for (let message = 0; message < 50; message++) await token.get().catch(() => {})
      expect(wechat.calls).toBe(1)
      now += 6_000
      expect(await token.get()).toBe('token-1')
    })

    test.each([
      [40001, 'configuration', 'WX_APP_SECRET'],
      [40013, 'configuration', 'WX_APP_ID'],
      [40164, 'configuration', 'whitelist'],
      [98765, 'configuration', 'rid'],
      [45009, 'quota', 'next day'],
      [45011, 'transient', 'SEND_RATE'],
    ])(
      'when the token endpoint fails with %i, it is asked once and the error is %s and says what to do',
      async (errcode, errorClass, remedy) => {
        wechat.next(refused(errcode, 'invalid 1.2.3.4'))
        await expect(startProcess().get()).rejects.toMatchObject({
          class: errorClass,
          errcode,
          message: expect.stringContaining('1.2.3.4'),
          remedy: expect.stringContaining(remedy),
        })
        expect(wechat.calls).toBe(1)
        expect(logger.lines).toMatchObject([
          { level: 'error', fields: { event: 'token.refresh_failed', class: errorClass, errcode } },
        ])
      },
    )

    test('before the old one has expired, the old one is used on', async () => {
      const token = startProcess()
      await token.get()
      await pass(117 * MINUTE_MS)
      wechat.next(refused(40125), refused(40125))
      expect(await token.get()).toBe('token-1')
      await token.close()
      expect(await token.get()).toBe('token-1')
      expect(await startProcess().get()).toBe('token-1')
      expect(wechat.calls).toBe(3)
      expect(logger.events().filter((event) => event === 'token.refresh_failed')).toHaveLength(2)
    })

    test('a call that hangs is ended and tried again', async () => {
      let aborted = false
      wechat.next(
        (signal) =>
          new Promise((resolve) =>
            signal.addEventListener('abort', () => {
              aborted = true
              resolve({ kind: 'ambiguous', reason: 'aborted' })
            }),
          ),
      )
      expect(await startProcess({ timing: { attemptTimeoutMs: 20 } }).get()).toBe('token-1')
      expect(aborted).toBe(true)
    })
  })

  test('a table that cannot be used is a passing error without the database’s text', async () => {
    const pool = openDatabase(database.url)
    await pool.destroy()
    const error = await startProcess({ pool })
      .get()
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(TokenError)
    expect(error).toMatchObject({ class: 'transient' })
    expect(error).not.toHaveProperty('cause')
    expect(wechat.calls).toBe(0)
  })

  test('neither tokens nor secrets are logged', async () => {
    const token = startProcess()
    wechat.next(
      fetched('token-a'),
      fetched('token-b'),
      refused(40013, 'no "access_token":"token-c" secret=token-d'),
    )
    await token.get()
    await token.replace('token-a')
    await token.replace('token-b').catch(() => {})
    expect(logger.events()).toEqual([
      'token.refreshed',
      'token.refreshed',
      'token.died_early',
      'token.refresh_failed',
    ])
    expect(JSON.stringify(logger.lines)).not.toMatch(/token-[a-d]/)
  })
})
