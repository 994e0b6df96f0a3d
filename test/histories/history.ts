import { expect } from 'vitest'
import type { Account } from '../../src/account.js'
import { selectRows } from '../../src/db/sql.js'
import { businessDate, timeOn } from '../../src/lib/business-date.js'
import { windowEnd } from '../../src/messages/window.js'
import { type Explanation, explainUser } from '../../src/reminders/explain.js'
import type { Outcome } from '../../src/reminders/explain-verdict.js'
import { hasUnreadRanges } from '../../src/runs/ranges.js'
import type { World } from '../helpers/world.js'
import { CHECK_OF, messageOutcome, OF_RUN, type Snapshot, takeSnapshot } from './truth.js'

export const USERS = [1, 2, 3, 4]
const FIRING_HOUR = 10

/** What was seen of a day while it went by. */
interface Day {
  atFiring?: Snapshot
  atClose?: Snapshot
  /** The last start of the run, which this clock does not see moving. */
  run?: { at: number; snapshot: Snapshot }
}

/** A history of several days, what really happened in it, and what explain says of it. */
export class History {
  readonly days = new Map<number, Day>()
  /** How many answers were compared. */
  readonly seen = new Map<Outcome, number>()
  /** How many of them named the truth only among other reasons. */
  doubts = 0

  constructor(
    readonly world: World,
    readonly account: Account,
  ) {}

  get now(): number {
    return this.world.clock.now()
  }

  get today(): number {
    return businessDate(this.now, this.account.timezone)
  }

  get isBeforeFiring(): boolean {
    return this.now < timeOn(this.today, FIRING_HOUR, 0, this.account.timezone)
  }

  day(date: number): Day {
    const day = this.days.get(date) ?? {}
    this.days.set(date, day)
    return day
  }

  explain(userId: number, date: number): Promise<Explanation> {
    return explainUser(this.world.db, { ...this.account, retentionDays: 90 }, userId, date, this.now)
  }

  /** Lets time pass, and looks at where the users stand at each firing and at each end of a window. */
  async passTo(time: number): Promise<void> {
    for (;;) {
      const { today, account } = this
      const firing = timeOn(today, FIRING_HOUR, 0, account.timezone)
      const close = windowEnd(account, today)
      const midnight = timeOn(today, 0, 0, account.timezone) + 86_400_000
      const next = [firing, close, midnight].find((at) => at > this.now) ?? midnight
      if (next > time) break
      this.world.clock.set(next)
      if (next === firing) this.day(today).atFiring = await this.#snapshot()
      if (next === close) this.day(today).atClose = await this.#snapshot()
      if (next === midnight) this.day(this.today)
    }
    if (time > this.now) this.world.clock.set(time)
  }

  async #snapshot(): Promise<Snapshot> {
    return takeSnapshot(this.world.db, this.account, USERS, this.today, this.now)
  }

  /** Runs `work`, which is one pass of today's run, and compares what explain had said with what it did. */
  async pass(work: () => Promise<void>): Promise<void> {
    const before = await this.#predictions()
    const snapshot = await this.#snapshot()
    for (const [userId, kind] of await this.#readBefore()) snapshot.set(userId, kind)
    const known = await this.#messages()
    const earlier = await this.runOf(this.today)
    // Nobody can tell from the tables whether a process is still at work on it.
    const isOpen = earlier?.state === 'running' && !(await hasUnreadRanges(this.world.db, earlier.id))
    await work()
    this.day(this.today).run = { at: this.now, snapshot }
    const run = await this.runOf(this.today)
    for (const userId of USERS) {
      const touched = (await this.#messages()).some(
        (one) => one.user_id === userId && !known.some(({ id }) => id === one.id),
      )
      const { outcome, isDue } = before.get(userId) ?? { outcome: 'not_known', isDue: false }
      const said = `user ${userId} on ${this.today}: ${outcome}, and the run was ${run?.state}`
      // Started by hand before its time, the run is not the one that was predicted.
      if (this.isBeforeFiring || isOpen) continue
      if (touched) expect(isDue, said).toBe(true)
      else if (isDue && run?.state === 'done') expect(touched, said).toBe(true)
    }
    await this.compareDay(this.today)
  }

  /** Those whom a run that is joined has passed already, as they stood then. */
  async #readBefore(): Promise<Snapshot> {
    const read: Snapshot = new Map()
    const seen = this.day(this.today).run?.snapshot
    const run = await this.runOf(this.today)
    if (!seen || run?.state !== 'running' || !(await hasUnreadRanges(this.world.db, run.id))) return read
    for (const [userId, kind] of seen) if (await this.#isRead(run.id, userId)) read.set(userId, kind)
    return read
  }

  /** Whom a run that starts now would remind, as explain says it. */
  async #predictions(): Promise<Map<number, { outcome: Outcome; isDue: boolean }>> {
    const said = new Map<number, { outcome: Outcome; isDue: boolean }>()
    for (const userId of USERS) {
      const { outcome, sentence } = await this.explain(userId, this.today)
      const isByHand = sentence.includes('reaches the user')
      said.set(userId, { outcome, isDue: outcome === 'will_be_reminded' || isByHand })
    }
    return said
  }

  async #messages(): Promise<{ id: number; user_id: number }[]> {
    return selectRows(this.world.db, 'SELECT id, user_id FROM wx_push_message WHERE app_id = ?', [
      this.account.appId,
    ])
  }

  async runOf(date: number): Promise<{ id: number; state: string; started_at: number } | undefined> {
    const [run] = await selectRows<{ id: number; state: string; started_at: number }>(
      this.world.db,
      "SELECT id, state, started_at FROM wx_job_run WHERE job = 'remind' AND app_id = ? AND slot = ?",
      [this.account.appId, date],
    )
    return run
  }

  /** Compares explain of all days so far with what was seen of them. */
  async compare(): Promise<void> {
    for (const date of this.days.keys()) await this.compareDay(date)
  }

  async compareDay(date: number): Promise<void> {
    for (const userId of USERS) {
      const truth = await this.#truth(userId, date)
      if (truth === undefined) continue
      const { outcome, sentence, checks } = await this.explain(userId, date)
      // A run that was interrupted may have come by at several times; then the sentence names what else it may be.
      const [, others] = /may have been: ([a-z_, ]+)\./.exec(sentence) ?? []
      const isAmong = others?.split(', ').includes(truth) === true
      expect({ userId, date, outcome, sentence }).toEqual({
        userId,
        date,
        outcome: isAmong ? outcome : truth,
        sentence,
      })
      this.doubts += isAmong ? 1 : 0
      const failed = checks.find(({ ok }) => !ok)
      expect([outcome, failed?.name]).toEqual([outcome, CHECK_OF[outcome]])
      this.seen.set(outcome, (this.seen.get(outcome) ?? 0) + 1)
    }
  }

  /** What really became of a user's reminder; undefined while that is still open. */
  async #truth(userId: number, date: number): Promise<Outcome | undefined> {
    const { world, account } = this
    const { appId } = account
    if (!(await this.#isKnown(userId))) return 'not_known'
    const ofMessage = await messageOutcome(world.db, appId, userId, date)
    if (ofMessage) return ofMessage
    const seen = this.day(date)
    const run = await this.runOf(date)
    const isClosed = this.now >= windowEnd(account, date)
    if (!run || run.state === 'missed') {
      if (!isClosed || !seen.atFiring) return undefined
      if (!run && date < this.today && (await this.#firstRun()) > date) return 'not_known'
      return orElse(seen.atFiring, userId, 'run_missed')
    }
    if (!seen.run) return undefined
    // The run by hand was before the day's firing, which looks again.
    const isStillToCome = !isClosed && run.started_at < timeOn(date, FIRING_HOUR, 0, account.timezone)
    if (isStillToCome && run.state !== 'limited') return undefined
    const isEnded = run.state !== 'running' && run.state !== 'window_closed'
    if (isEnded || run.started_at >= windowEnd(account, date) || (await this.#isRead(run.id, userId)))
      return orElse(seen.run.snapshot, userId, await this.#ofRun(run.state, isClosed))
    return isClosed && seen.atClose ? orElse(seen.atClose, userId, 'window_closed') : undefined
  }

  async #ofRun(state: string, isClosed: boolean): Promise<Outcome> {
    if (state === 'running' && !isClosed) return 'not_reached'
    return OF_RUN[state] ?? 'not_reached'
  }

  async #isKnown(userId: number): Promise<boolean> {
    for (const table of ['wx_message_push_status', 'wx_user', 'wx_save_form_id', 'wx_sign_in'])
      if (
        (await selectRows(this.world.db, `SELECT 1 FROM ${table} WHERE user_id = ? LIMIT 1`, [userId]))
          .length > 0
      )
        return true
    return false
  }

  async #firstRun(): Promise<number> {
    const [row] = await selectRows<{ slot: number | null }>(
      this.world.db,
      "SELECT MIN(slot) AS slot FROM wx_job_run WHERE job = 'remind' AND app_id = ?",
      [this.account.appId],
    )
    return row?.slot ?? Number.POSITIVE_INFINITY
  }

  async #isRead(runId: number, userId: number): Promise<boolean> {
    const ranges = await selectRows<{ cur: number; hi: number; again: number | null }>(
      this.world.db,
      'SELECT cur, hi, again FROM wx_job_cursor WHERE run_id = ? ORDER BY range_no',
      [runId],
    )
    const range = ranges.find(({ hi }) => hi >= userId)
    return range !== undefined && range.cur >= userId && (range.again === null || range.again > userId)
  }
}

function orElse(snapshot: Snapshot, userId: number, ofTheRun: Outcome): Outcome | undefined {
  const kind = snapshot.get(userId)
  return kind === 'due' ? ofTheRun : kind
}
