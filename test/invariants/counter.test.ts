import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { businessDate } from '../../src/lib/business-date.js'
import { audit } from '../../src/operations/audit.js'
import { expireStale } from '../../src/permits/expire.js'
import { createIngest } from '../../src/permits/ingest.js'
import { recordSignIn } from '../../src/sign-ins/sign-in.js'
import { DAY_MS, HOUR_MS, SEND_PATH } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { silentLog } from '../helpers/rows.js'
import { openIdOf, user, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'
import { wrongCounters } from '../migrations/old-tables.js'

// @module-tag long

/** Few users, so that the steps meet each other. */
const USERS = 12

/** Histories for each database; more of them with INVARIANT_RUNS. Most of a second each. */
const RUNS = Number(process.env.INVARIANT_RUNS ?? 10)
const TEST_TIMEOUT_MS = 10_000 + 10_000 * RUNS

/** What can happen to the service, in any order and number, several at once. */
type Step =
  | { kind: 'upload'; users: number[]; daysAgo: number; again: boolean }
  | { kind: 'remind'; faults: Fault[]; limit: number }
  | { kind: 'halt' }
  | { kind: 'crash' }
  | { kind: 'recover' }
  | { kind: 'sweep' }
  | { kind: 'sign_in'; user: number }
  | { kind: 'later'; hours: number }

interface Fault {
  kind: 'errcode' | 'cut_before' | 'cut_after'
  errcode: number
  after: number
  times: number
}

const someUser = fc.integer({ min: 1, max: USERS })

const fault: fc.Arbitrary<Fault> = fc.record({
  kind: fc.constantFrom('errcode', 'errcode', 'errcode', 'cut_before', 'cut_after'),
  // A dead permit, a busy WeChat, a user who refuses, a wrong template, an unknown code. (41029, used, comes by itself.)
  errcode: fc.constantFrom(41028, 41028, -1, 43101, 40037, 99_999),
  after: fc.integer({ min: 0, max: 8 }),
  times: fc.integer({ min: 1, max: 4 }),
})

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('upload' as const),
      users: fc.array(someUser, { minLength: 1, maxLength: 10 }),
      daysAgo: fc.constantFrom(0, 0, 3, 6, 6.95),
      again: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('remind' as const),
      faults: fc.array(fault, { maxLength: 3 }),
      limit: fc.constantFrom(1, 3, USERS),
    }),
  },
  fc.constant({ kind: 'halt' as const }),
  fc.constant({ kind: 'crash' as const }),
  fc.constant({ kind: 'recover' as const }),
  { weight: 2, arbitrary: fc.constant({ kind: 'sweep' as const }) },
  fc.record({ kind: fc.constant('sign_in' as const), user: someUser }),
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('later' as const), hours: fc.constantFrom(1, 9, 20, 30) }),
  },
)

/** Steps of one inner list happen at once. */
const history = fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { minLength: 3, maxLength: 12 })

describe.each(dialects)('after any history on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'anything' })
  const { db } = world

  let uploaded: string[] = []
  let sweeps = 0

  async function take(step: Step): Promise<unknown> {
    const { account, clock, wechat } = world
    const { appId } = account
    switch (step.kind) {
      case 'upload': {
        const submittedAt = clock.now() - step.daysAgo * DAY_MS
        const uploads = step.users.map((userId) => {
          const openId = openIdOf(userId)
          const formId = wechat.issueFormId({ openId, at: submittedAt })
          uploaded.push(formId)
          return { appId, openId, userId, formId, source: 'form' as const, page: undefined, submittedAt }
        })
        const ingest = createIngest(db)
        const requests = [ingest.upload(uploads, clock.now())]
        if (step.again) requests.push(ingest.upload(uploads.slice(1), clock.now()))
        return Promise.all(requests)
      }
      case 'remind': {
        for (const { kind, errcode, after, times } of step.faults) {
          const what = kind === 'errcode' ? { kind, errcode } : { kind }
          wechat.addFault({ ...what, after, times, match: { path: SEND_PATH } })
        }
        return world.startProcess({ db, concurrency: 3 }).remind({ limit: step.limit })
      }
      case 'halt':
        return world.startProcess({ db, appSecret: 'wrong' }).remind()
      case 'crash': {
        // It claims, sends, and dies before it has written down what WeChat said.
        const process = world.startProcess({ db, concurrency: 3 })
        const dying = world.startProcess({
          db,
          concurrency: 3,
          send: async (message) => {
            await process.send(message)
            throw new Error('the process died')
          },
        })
        await dying.remind().catch(() => {})
        return world.lapseLeases()
      }
      case 'recover':
        return world.startProcess({ db }).recover()
      case 'sweep': {
        const sweep = { appId, slot: ++sweeps, triggeredBy: 'manual' } as const
        return expireStale({ db, log: silentLog, signal: new AbortController().signal }, sweep, clock.now())
      }
      case 'sign_in':
        return recordSignIn(
          db,
          { appId, userId: step.user, day: businessDate(clock.now(), account.timezone) },
          clock.now(),
        )
      case 'later':
        clock.advance(step.hours * HOUR_MS)
        return undefined
    }
  }

  test(
    'counters are exact, no permit is spent twice, and nobody was reminded twice on a day',
    async () => {
      await fc.assert(
        fc
          .asyncProperty(history, async (steps) => {
            uploaded = []
            for (const together of steps) {
              const ends = await Promise.allSettled(together.map(take))
              expect(ends.filter(({ status }) => status === 'rejected')).toEqual([])
              world.wechat.clearFaults()
              expect(await wrongCounters(db)).toEqual([])
              expect((await audit(db, world.clock.now(), false)).checks.filter(({ ok }) => !ok)).toEqual([])
              expect(world.wechat.summary().repeats).toEqual([])
            }
            // What the dead left is taken over; then our books and WeChat's agree message by message.
            await world.lapseLeases()
            await world.startProcess({ db }).recover()
            await world.expectSound()
            const formIds = world.wechat.ledger().map(({ form_id }) => form_id)
            expect(new Set(formIds).size).toBe(formIds.length)
            expect(formIds.every((formId) => formId !== null && uploaded.includes(formId))).toBe(true)
          })
          .afterEach(() => world.reset()),
        { numRuns: RUNS },
      )
    },
    TEST_TIMEOUT_MS,
  )

  test('a run goes on where a hand set a counter too low, and stops it at 0', async () => {
    await world.has(users(1, 10).permits(2), user(11).permits(3))
    await db('wx_message_push_status').where({ user_id: 11 }).update({ count: 1 })
    world.wechat.addFault({ kind: 'errcode', errcode: 41028, times: 2, match: { open_id: openIdOf(11) } })
    expect(await world.startProcess().remind()).toMatchObject({ state: 'done', delivered: 11, failed: 0 })
    expect((await world.counterOf(11))?.count).toBe(0)
    expect(await wrongCounters(db)).toEqual([])
  })
})
