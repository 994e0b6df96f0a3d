import fc from 'fast-check'
import { expect } from 'vitest'
import { FORM_ID_LIFETIME_MS } from '../../src/books/index.js'
import type { Channel } from '../../src/channel.js'
import { inTransaction } from '../../src/db/transaction.js'
import { addDays, timeOn } from '../../src/lib/business-date.js'
import { expireStale } from '../../src/permits/expire.js'
import { createIngest } from '../../src/permits/ingest.js'
import { reportSubscription } from '../../src/permits/report-subscription.js'
import { findDueRun, recordMissedDays } from '../../src/reminders/due.js'
import { recordSignIn } from '../../src/sign-ins/sign-in.js'
import { rebindUser } from '../../src/users/rebind.js'
import * as stops from '../../src/users/stop-store.js'
import type { SendResult } from '../../src/wechat/client.js'
import { ACCEPTED, CUT, REFUSED_CONNECTION, refusal } from '../helpers/answers.js'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../helpers/constants.js'
import { silentLog } from '../helpers/rows.js'
import { openIdOf } from '../helpers/users.js'
import { type History, USERS } from './history.js'

/** One thing that happens. `text` is what a failing history prints. */
export interface Step {
  text: string
  run(history: History): Promise<void>
  [fc.toStringMethod](): string
}

let named = 0
const nextName = (): string => `permit-${++named}`

const step = (text: string, run: (history: History) => Promise<void>): Step => ({
  text,
  run,
  [fc.toStringMethod]: () => text,
})

const upload = (userId: number, leftMs: number, source: 'form' | 'pay'): Step =>
  step(`${source} of user ${userId}, good for ${leftMs / HOUR_MS} h`, async ({ world, account, now }) => {
    const person = { appId: account.appId, openId: openIdOf(userId), userId }
    const submittedAt = source === 'form' ? now + leftMs - FORM_ID_LIFETIME_MS : undefined
    await createIngest(world.db).upload(
      [{ ...person, source, formId: nextName(), page: undefined, submittedAt }],
      now,
    )
  })

const subscribe = (userId: number, template: 'ours' | 'another'): Step =>
  step(`user ${userId} subscribes to ${template}`, async ({ world, account, now }) => {
    const templateId = template === 'ours' ? account.templateId : 'weekly-report'
    const person = { appId: account.appId, openId: openIdOf(userId), userId, templateId }
    await reportSubscription(
      world.db,
      { ...person, result: 'accept', tapId: nextName(), tappedAt: undefined },
      now,
    )
  })

const bind = (userId: number, openId: 'own' | 'second'): Step =>
  step(`the ${openId} open_id of user ${userId} is bound`, async ({ world, account, now }) => {
    const binding = { openId: openIdOf(openId === 'own' ? userId : 100 + userId), userId, movePermits: false }
    await inTransaction(world.db, (trx) => rebindUser(trx, { ...account, userIds: 'backend' }, binding, now))
  })

const signIn = (userId: number, daysAgo: number): Step =>
  step(`user ${userId} signs in for ${daysAgo} days ago`, async ({ world, account, today, now }) => {
    await recordSignIn(world.db, { appId: account.appId, userId, day: addDays(today, -daysAgo) }, now)
  })

type Verb = 'wishes' | 'is brought back' | 'turns off' | 'unfollows' | 'follows' | 'is listed' | 'consents'

const stop = (userId: number, verb: Verb): Step =>
  step(`user ${userId} ${verb}`, async ({ world, account, now }) => {
    const person = { appId: account.appId, openId: openIdOf(userId), userId }
    const key = { appId: account.appId, openId: openIdOf(userId) }
    await inTransaction(world.db, async (trx) => {
      switch (verb) {
        case 'wishes':
          return stops.recordWish(trx, { appId: account.appId, userId }, now)
        case 'is brought back':
          return stops.liftAll(trx, { appId: account.appId, userId }, now)
        case 'turns off':
          return stops.recordOptOut(trx, { ...person, errcode: 43101, at: now }, now)
        case 'unfollows':
          return stops.recordBlock(trx, { ...key, errcode: 43004, at: now }, now)
        case 'follows':
          return void (await stops.liftBlock(trx, { ...key, errcode: 43004 }, now))
        case 'is listed':
          return stops.recordStop(trx, person, { kind: 'block', errcode: 43019, messageId: null }, now)
        case 'consents':
          return stops.liftRefusal(trx, key, now)
      }
    })
  })

/** What WeChat answers to the messages of a run. */
const FATES = {
  accepts: () => ACCEPTED,
  'refuses even users': (userId) => (userId % 2 === 0 ? refusal(43101) : ACCEPTED),
  'has listed user 1': (userId) => (userId === 1 ? refusal(43019) : ACCEPTED),
  'finds permits of user 2 dead': (userId) => (userId === 2 ? refusal(41028) : ACCEPTED),
  'knows no template': () => refusal(40037),
  'knows no template for user 3': (userId) => (userId === 3 ? refusal(40037) : ACCEPTED),
  'has no quota after one': (_, nth) => (nth > 1 ? refusal(45009) : ACCEPTED),
  'is busy': () => refusal(-1),
  'is away': () => REFUSED_CONNECTION,
  'loses answers of user 4': (userId) => (userId === 4 ? CUT : ACCEPTED),
} satisfies Record<string, (userId: number, nth: number) => SendResult>
type Fate = keyof typeof FATES

interface RunOf {
  fate: Fate
  limit?: number | undefined
  /** Stopped by a signal while the so-many-th message is sent. */
  stopAt?: number | undefined
}

async function remind(history: History, { fate, limit, stopAt }: RunOf): Promise<void> {
  const { world, account } = history
  let sent = 0
  const process = world.startProcess({
    db: world.db,
    send: async ({ userId }) => {
      if (++sent === stopAt) process.stop()
      return FATES[fate](Number(userId), sent)
    },
  })
  // As every process does that starts.
  await process.recover(account)
  await history.pass(async () => {
    await process.remind({ account, ...(limit === undefined ? {} : { limit }) })
  })
  await process.kill()
}

const runByHand = (of: RunOf): Step =>
  step(
    `remind by hand, WeChat ${of.fate}${of.limit ? `, limit ${of.limit}` : ''}${of.stopAt ? `, stopped at ${of.stopAt}` : ''}`,
    (history) => remind(history, of),
  )

/** What the schedule of a process does that is up at this moment. */
const look = (fate: Fate): Step =>
  step(`the schedule looks, WeChat ${fate}`, async (history) => {
    const { world, account, now } = history
    await recordMissedDays(world.db, account, now)
    if (await findDueRun(world.db, account, now)) await remind(history, { fate })
  })

const sweep: Step = step('sweep', async ({ world, account, now }) => {
  const deps = { db: world.db, log: silentLog, signal: new AbortController().signal }
  await expireStale(deps, { appId: account.appId, slot: now, triggeredBy: 'cron' }, now)
})

const wait = (ms: number): Step =>
  step(`${ms / HOUR_MS} h pass`, async (history) => {
    await history.passTo(history.now + ms)
  })

const toTheRun = (days: number): Step =>
  step(`until 10:00, ${days} days on`, async (history) => {
    const { account, today, now } = history
    const tenOn = (date: number) => timeOn(date, 10, 0, account.timezone)
    const first = tenOn(today) > now ? today : addDays(today, 1)
    await history.passTo(tenOn(addDays(first, days)))
  })

/** As a process does that stays up: it looks each minute, and goes on with a run that was begun before its firing. */
async function lookUntilDone(history: History): Promise<void> {
  for (let looks = 0; looks < 3; looks++) {
    await look('accepts').run(history)
    history.world.clock.advance(MINUTE_MS)
  }
}

/** Predicts the coming days at once; then they pass, and nothing happens but the runs. */
const quietDays = (days: number): Step =>
  step(`${days} quiet days`, async (history) => {
    await toTheRun(0).run(history)
    await lookUntilDone(history)
    const from = history.today
    const said = new Map<string, string>()
    for (let n = 1; n <= days; n++)
      for (const userId of USERS) {
        const { outcome } = await history.explain(userId, addDays(from, n))
        said.set(`${userId} ${n}`, outcome)
      }
    for (let n = 1; n <= days; n++) {
      await toTheRun(0).run(history)
      await lookUntilDone(history)
      for (const userId of USERS) {
        const { outcome } = await history.explain(userId, addDays(from, n))
        const expected = said.get(`${userId} ${n}`)
        expect([userId, n, outcome]).toEqual([
          userId,
          n,
          expected === 'will_be_reminded' ? 'reminded' : expected,
        ])
      }
    }
  })

const user = fc.constantFrom(...USERS)
const fates = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Fate>('accepts') },
  { weight: 5, arbitrary: fc.constantFrom(...(Object.keys(FATES) as Fate[])) },
)
const left = fc.constantFrom(
  MINUTE_MS,
  2 * MINUTE_MS,
  3 * HOUR_MS,
  20 * HOUR_MS,
  45 * HOUR_MS,
  70 * HOUR_MS,
  165 * HOUR_MS,
)
const uploads = fc
  .tuple(user, left, fc.constantFrom<'form' | 'pay'>('form', 'form', 'pay'))
  .map((args) => upload(...args))
const taps = fc
  .tuple(user, fc.constantFrom<'ours' | 'another'>('ours', 'another'))
  .map((args) => subscribe(...args))
const binds = fc
  .tuple(user, fc.constantFrom<'own' | 'second'>('own', 'own', 'second'))
  .map((args) => bind(...args))
const signIns = fc.tuple(user, fc.constantFrom(0, 0, 0, 1)).map((args) => signIn(...args))
const verbs = fc
  .tuple(
    user,
    fc.constantFrom<Verb>(
      'wishes',
      'is brought back',
      'turns off',
      'unfollows',
      'follows',
      'is listed',
      'consents',
      'is brought back',
    ),
  )
  .map((args) => stop(...args))
const runs = fc
  .record({
    fate: fates,
    limit: fc.option(fc.constantFrom(1, 2), { nil: undefined, freq: 4 }),
    stopAt: fc.option(fc.constantFrom(1, 2), { nil: undefined, freq: 4 }),
  })
  .map(runByHand)
const waits = fc
  .constantFrom(SECOND_MS, 5 * SECOND_MS, MINUTE_MS, HOUR_MS, 5 * HOUR_MS, 13 * HOUR_MS)
  .map(wait)

/** Everything that can happen, the frequent more often. `permits` are those of the channel. */
export function stepsOn(channel: Channel): fc.Arbitrary<Step[]> {
  const [ours, others] = {
    form_id: [uploads, taps] as const,
    subscribe: [taps, uploads] as const,
    official: [binds, uploads] as const,
  }[channel]
  const any = fc.oneof(
    { weight: 8, arbitrary: ours },
    { weight: 2, arbitrary: others },
    { weight: 3, arbitrary: signIns },
    { weight: 3, arbitrary: verbs },
    { weight: 4, arbitrary: runs },
    { weight: 3, arbitrary: fates.map(look) },
    { weight: 1, arbitrary: fc.constant(sweep) },
    { weight: 4, arbitrary: waits },
    { weight: 4, arbitrary: fc.constantFrom(0, 0, 0, 1, 2).map(toTheRun) },
    { weight: 1, arbitrary: fc.constantFrom(1, 3).map(quietDays) },
  )
  return fc.array(any, { minLength: 10, maxLength: 50, size: 'max' })
}
