import fc from 'fast-check'
import type { Knex } from 'knex'
import { expect } from 'vitest'
import type { Account } from '../../src/account.js'
import { FORM_ID_LIFETIME_MS } from '../../src/books/index.js'
import { execute, selectRows } from '../../src/db/sql.js'
import { businessDate } from '../../src/lib/business-date.js'
import { findOrAddCard } from '../../src/messages/card-store.js'
import { markSending } from '../../src/messages/lease-store.js'
import type { HeldMessage } from '../../src/messages/message.js'
import { takeOver } from '../../src/messages/recovery.js'
import { settleBatch } from '../../src/messages/settle.js'
import { judge, type Verdict } from '../../src/messages/verdict.js'
import { expireStale } from '../../src/permits/expire.js'
import { createIngest } from '../../src/permits/ingest.js'
import { claimDue } from '../../src/reminders/claim.js'
import { openRun } from '../../src/runs/occurrences.js'
import { resetRanges } from '../../src/runs/ranges.js'
import type { SendResult } from '../../src/wechat/client.js'
import { HOUR_MS, MINUTE_MS } from '../helpers/constants.js'
import { silentLog } from '../helpers/rows.js'
import { openIdOf } from '../helpers/users.js'
import { holdApart } from '../helpers/waits.js'
import { expectAgreement } from './agreement.js'
import type { Model } from './model.js'
import { FATES, type Fate, type StandIn } from './stand-in.js'

/** The real code, the database it works on, and what its processes have in their memories. */
export interface Real {
  db: Knex
  account: Account
  wechat: StandIn
  /** Messages in the hands of processes that live. */
  hands: HeldMessage[]
  /** Messages in the hands of processes that let the lease lapse: frozen ones, which may still wake up. */
  frozen: { message: HeldMessage; result: SendResult | undefined }[]
}

type Command = fc.AsyncCommand<Model, Real>

/** One command: `text` is what a failing run prints. After each one model and database must say the same. */
function command(
  text: string,
  canRun: (model: Model) => boolean,
  run: (model: Model, real: Real) => Promise<void>,
): Command {
  return {
    check: canRun,
    async run(model, real) {
      // No two commands at the same moment: a sweep's occurrence is its moment.
      model.now++
      await run(model, real)
      await expectAgreement(model, real)
    },
    toString: () => text,
  }
}

const LEASE_MS = 600_000
const always = () => true
const dateOf = (model: Model, { account }: Real): number => businessDate(model.now, account.timezone)
const isAnyHeld = (model: Model) => model.messages.some(({ held }) => held)
const pick = <T>(list: T[], n: number): T | undefined => list[n % Math.max(1, list.length)]

const upload = (userId: number, form: number, leftMs: number): Command =>
  command(
    `upload form_id ${form} of user ${userId}, good for ${leftMs} ms`,
    always,
    async (model, { db, account }) => {
      const { appId } = account
      const permit = { formId: `form-${userId}-${form}`, userId, expire: model.now + leftMs }
      const [outcome] = await createIngest(db).upload(
        [
          {
            appId,
            openId: openIdOf(userId),
            userId,
            source: 'form',
            formId: permit.formId,
            page: undefined,
            submittedAt: permit.expire - FORM_ID_LIFETIME_MS,
          },
        ],
        model.now,
      )
      expect(outcome).toEqual({ outcome: model.upload(permit) })
    },
  )

const claim: Command = command('claim', always, async (model, real) => {
  const { db, account, hands } = real
  const date = dateOf(model, real)
  if (!model.isOpen(date)) return
  const occurrence = { job: 'remind', appId: account.appId, slot: date } as const
  const { run } = await openRun(db, occurrence, { triggeredBy: 'cron', state: 'running' }, model.now)
  await db.transaction((trx) => resetRanges(trx, run.id, account.appId))
  const claimed: HeldMessage[] = []
  for (;;) {
    const card = await findOrAddCard(db, account, model.now)
    const options = { runId: run.id, date, card, leaseMs: LEASE_MS, now: model.now, examine: 2, claim: 2 }
    const next = await claimDue(db, account, options)
    if (next.kind !== 'claimed') break
    claimed.push(...next.messages)
  }
  const due = model.due(date)
  const pairs = claimed.map(({ userId, formId }) => `${userId} ${formId}`).sort()
  expect(pairs).toEqual(due.map(({ userId, permit }) => `${userId} ${permit.formId}`).sort())
  for (const { id, userId, formId, lease } of claimed)
    model.claim(id, Number(userId), model.permit(formId), date, lease.claimId)
  hands.push(...claimed)
})

async function write(
  model: Model,
  real: Real,
  message: HeldMessage,
  result: SendResult | 'not sent',
): Promise<void> {
  const notSent: Verdict = message.maybeSent
    ? { kind: 'retry', afterMs: 0, maybeSent: true }
    : { kind: 'give_back' }
  const verdict = result === 'not sent' ? notSent : judge(message, result, 0, model.now)
  const errcode = result !== 'not sent' && result.kind === 'refused' ? result.errcode : null
  const answer = { errcode, errmsg: null, rid: null, msgid: null }
  const outcome = { message, verdict, answer, attempted: result !== 'not sent' }
  const settled = await settleBatch(real.db, [outcome], model.now)
  const [next] = settled.next
  const { id, lease, attempts, maybeSent } = message
  expect(next?.formId).toEqual(model.settle(id, lease.claimId, { attempts, doubt: maybeSent }, result))
  if (next) real.hands.push(next)
}

/** Right before the request leaves; whoever has lost the message meanwhile is told so, and sends nothing. */
async function mark(model: Model, { db }: Real, message: HeldMessage): Promise<boolean> {
  if (message.state === 'sending') return true
  const [isMarked = false] = await markSending(db, [message])
  expect(isMarked).toBe(model.mark(message.id, message.lease.claimId))
  if (isMarked) message.state = 'sending'
  return isMarked
}

function send(model: Model, { wechat }: Real, message: HeldMessage, fate: Fate): SendResult {
  return wechat.answer(message, fate, model.permit(message.formId).expire <= model.now)
}

const attempt = (n: number, fate: Fate): Command =>
  command(`attempt ${n}: ${fate}`, isAnyHeld, async (model, real) => {
    const message = pick(real.hands, n)
    if (!message) return
    real.hands.splice(real.hands.indexOf(message), 1)
    if (await mark(model, real, message)) await write(model, real, message, send(model, real, message, fate))
  })

const giveBack = (n: number): Command =>
  command(`stop ${n} before it is sent`, isAnyHeld, async (model, real) => {
    const message = pick(real.hands, n)
    if (!message) return
    real.hands.splice(real.hands.indexOf(message), 1)
    await write(model, real, message, 'not sent')
  })

/** `fate`: it dies or freezes when WeChat has answered; without, before it has sent. */
const lapse = (n: number, fate: Fate | undefined): Command =>
  command(`freeze ${n} ${fate ? `after: ${fate}` : 'before it is sent'}`, isAnyHeld, async (model, real) => {
    const message = pick(real.hands, n)
    if (!message) return
    real.hands.splice(real.hands.indexOf(message), 1)
    const isSent = fate !== undefined && (await mark(model, real, message))
    real.frozen.push({ message, result: isSent ? send(model, real, message, fate) : undefined })
    // Its process had claimed it alone.
    const claimId = await holdApart(real.db, `id = ${message.id}`, 1)
    message.lease = { claimId, deadline: Number.NEGATIVE_INFINITY }
    const modelled = model.messages.find(({ id }) => id === message.id)
    if (modelled) Object.assign(modelled, { held: false, claimId })
  })

const wake = (n: number): Command =>
  command(`wake ${n}, which writes what it knows`, always, async (model, real) => {
    const frozen = pick(real.frozen, n)
    if (!frozen) return
    real.frozen.splice(real.frozen.indexOf(frozen), 1)
    await write(model, real, frozen.message, frozen.result ?? 'not sent')
  })

/** It had looked at its clock just before it froze, and so sends after all. */
const sendLate = (n: number, fate: Fate): Command =>
  command(`wake ${n}, which sends: ${fate}`, always, async (model, real) => {
    const frozen = pick(
      real.frozen.filter(({ result }) => result === undefined),
      n,
    )
    if (frozen && (await mark(model, real, frozen.message)))
      frozen.result = send(model, real, frozen.message, fate)
  })

export const recover: Command = command('take over', always, async (model, real) => {
  const options = { limit: 100, leaseMs: LEASE_MS, now: model.now }
  const { messages } = await takeOver(real.db, real.account, options)
  const { sent } = model.takeOver(messages[0]?.lease.claimId ?? 0)
  const shape = ({ id, formId, attempts }: (typeof sent)[number] | HeldMessage) => ({ id, formId, attempts })
  const byId = (a: { id: number }, b: { id: number }) => a.id - b.id
  expect(messages.map(shape).sort(byId)).toEqual(sent.map(shape).sort(byId))
  real.hands.push(...messages)
})

/** One and the same answer to all that are open, time and again. */
const insist = (fate: Fate, times: number): Command =>
  command(`${times} times all: ${fate}`, isAnyHeld, async (model, real) => {
    for (let i = 0; i < times; i++) {
      while (real.hands.length > 0) await attempt(0, fate).run(model, real)
      await recover.run(model, real)
    }
  })

const pass = (ms: number): Command =>
  command(`${ms} ms pass`, always, async (model) => {
    model.now += ms
  })

const sweep: Command = command('sweep', always, async (model, { db, account }) => {
  const { appId } = account
  const signal = new AbortController().signal
  const report = await expireStale(
    { db, log: silentLog, signal },
    { appId, slot: model.now, triggeredBy: 'manual' },
    model.now,
  )
  expect(report?.expired).toBe(model.expire())
})

const signIn = (userId: number): Command =>
  command(`user ${userId} signs in`, always, async (model, real) => {
    const date = dateOf(model, real)
    if (model.signedIn.has(`${userId} ${date}`)) return
    model.signedIn.add(`${userId} ${date}`)
    await execute(
      real.db,
      'INSERT INTO wx_sign_in (app_id, user_id, day, streak, created_at) VALUES (?, ?, ?, 1, ?)',
      [real.account.appId, userId, date, model.now],
    )
  })

const user = fc.integer({ min: 1, max: 3 })
const form = fc.nat({ max: 5 })
const which = fc.nat({ max: 7 })
const AGAIN: Fate[] = ['lost on the way', 'busy', 'unreachable', 'judged, answer lost']
// Those that are asked again come more often: what follows from the sixth attempt needs six of them.
const fate = fc.oneof(fc.constantFrom(...AGAIN), fc.constantFrom(...FATES))
const attempts = fc.tuple(which, fate).map((args) => attempt(...args))
const lapses = fc.tuple(which, fc.option(fate, { nil: undefined, freq: 1 })).map((args) => lapse(...args))
const uploads = fc
  .tuple(user, form, fc.constantFrom(2 * MINUTE_MS, HOUR_MS, 30 * HOUR_MS, 60 * HOUR_MS, 160 * HOUR_MS))
  .map((args) => upload(...args))
const insisting = fc
  .tuple(fc.constantFrom(...AGAIN), fc.integer({ min: 3, max: 8 }))
  .map((args) => insist(...args))
const soon = fc.constantFrom(MINUTE_MS, 6 * MINUTE_MS).map(pass)
const later = fc.constantFrom(HOUR_MS, 9 * HOUR_MS, 24 * HOUR_MS).map(pass)

/** Everything that can happen to messages, the frequent more often. */
export const commands = [
  ...Array(3).fill(uploads),
  ...Array(2).fill(fc.constant(claim)),
  ...Array(5).fill(attempts),
  ...Array(4).fill(fc.constant(recover)),
  insisting,
  ...Array(2).fill(lapses),
  ...Array(2).fill(which.map(wake)),
  fc.tuple(which, fate).map((args) => sendLate(...args)),
  which.map(giveBack),
  soon,
  soon,
  later,
  fc.constant(sweep),
  user.map(signIn),
]

/** Three users with four permits each, of mixed ends: what every run begins with. */
export async function begin(model: Model, real: Real): Promise<void> {
  for (const userId of [1, 2, 3]) {
    for (const left of [100 * HOUR_MS, 50 * HOUR_MS, 80 * HOUR_MS, 120 * HOUR_MS])
      await upload(userId, left / HOUR_MS, left).run(model, real)
  }
}

/** Lets everybody die and time pass until no message is open, with a WeChat that works again. */
export async function finish(model: Model, real: Real): Promise<void> {
  for (let round = 0; round < 3; round++) {
    while (real.hands.length > 0) await lapse(0, undefined).run(model, real)
    while (real.frozen.length > 0) await wake(0).run(model, real)
    await pass(6 * MINUTE_MS).run(model, real)
    await recover.run(model, real)
    while (real.hands.length > 0) await attempt(0, 'judged').run(model, real)
  }
  const open = await selectRows(real.db, "SELECT id FROM wx_push_message WHERE state IN ('sending', 'retry')")
  expect(open).toEqual([])
}
