import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { businessDate } from '../../src/lib/business-date.js'
import { findOrAddCard } from '../../src/messages/card-store.js'
import { settleBatch } from '../../src/messages/settle.js'
import { expireStale } from '../../src/permits/expire.js'
import { createIngest } from '../../src/permits/ingest.js'
import { reportSubscription } from '../../src/permits/report-subscription.js'
import { claimDue } from '../../src/reminders/claim.js'
import { purgeOld } from '../../src/retention/purge.js'
import { closeRun, openRun } from '../../src/runs/occurrences.js'
import { resetRanges } from '../../src/runs/ranges.js'
import { DAY_MS } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { silentLog } from '../helpers/rows.js'
import { openIdOf } from '../helpers/users.js'
import { createWorld } from '../helpers/world.js'

// @module-tag long

const USERS = 3
const RETENTION = 14
/** Three weeks beyond the first days that are purged whole, permits and all. */
const DAYS = 2 * (RETENTION + 7)
const TIMEZONE = 'Asia/Shanghai'
const channels = ['form_id', 'subscribe'] as const
const lives = dialects.flatMap((dialect) => channels.map((channel) => [channel, dialect] as const))

/** A few users who come by on some days and collect up to three permits, for longer than anything is kept. */
test.concurrent.each(lives)(
  'a life on %s and %s is clean in the audit on each day that something is purged',
  { timeout: 180_000 },
  async (channel, dialect) => {
    const world = await createWorld(dialect)
    const { db, clock } = world
    const account = { ...world.account, channel }
    const { appId, templateId } = account
    const signal = new AbortController().signal
    const ingest = createIngest(db)
    let reminded = 0
    let purged = 0

    async function collect(userId: number, permits: number): Promise<void> {
      const person = { appId, openId: openIdOf(userId), userId }
      const form = { ...person, source: 'form' as const, page: undefined, submittedAt: undefined }
      const tap = { ...person, templateId, result: 'accept', tappedAt: undefined }
      const names = Array.from({ length: permits }, () => randomUUID())
      if (channel === 'form_id') {
        const forms = names.map((formId) => ({ ...form, formId }))
        await ingest.upload(forms, clock.now())
      } else for (const tapId of names) await reportSubscription(db, { ...tap, tapId }, clock.now())
    }

    async function remind(): Promise<void> {
      const now = clock.now()
      const date = businessDate(now, TIMEZONE)
      const occurrence = { job: 'remind', appId, slot: date } as const
      const { run } = await openRun(db, occurrence, { triggeredBy: 'cron', state: 'running' }, now)
      await db.transaction((trx) => resetRanges(trx, run.id, appId))
      const card = await findOrAddCard(db, account, now)
      const options = { runId: run.id, date, card, leaseMs: 60_000, now, examine: 50, claim: 50 }
      for (;;) {
        const claim = await claimDue(db, account, options)
        if (claim.kind !== 'claimed') break
        const answer = { errcode: 0, errmsg: 'ok', rid: null, msgid: null }
        const outcomes = claim.messages.map((message) => ({
          message,
          // Now and then the oldest turns out dead, and the next one is sent.
          verdict: (date + Number(message.userId)) % 5 ? { kind: 'delivered' as const } : DEAD,
          answer,
          attempted: true,
        }))
        const next = (await settleBatch(db, outcomes, now)).next.filter((one) => one !== undefined)
        const second = next.map((message) => ({
          message,
          verdict: { kind: 'delivered' as const },
          answer,
          attempted: true,
        }))
        await settleBatch(db, second, now)
        reminded += claim.messages.length
      }
      await closeRun(db, run.id, { state: 'done', reason: null }, now)
    }

    try {
      for (let day = 0; day < DAYS; day++) {
        for (let userId = 1; userId <= USERS; userId++)
          if ((day * 7 + userId * 3) % 11 < 4) await collect(userId, 1 + ((day + userId) % 3))
        await remind()
        await expireStale(
          { db, log: silentLog, signal },
          { appId, slot: clock.now(), triggeredBy: 'cron' },
          clock.now(),
        )
        const report = await purgeOld(
          { db, log: silentLog, signal },
          { appId, timezone: TIMEZONE, retentionDays: RETENTION },
          clock.now(),
        )
        purged += (report?.messages ?? 0) + (report?.permits ?? 0)
        // Before, nothing is purged.
        if (day >= RETENTION) await world.expectAuditClean()
        clock.advance(DAY_MS)
      }
      expect(reminded).toBeGreaterThan(DAYS)
      expect(purged).toBeGreaterThan(DAYS)
      const [oldest] = await db('wx_push_message').orderBy('created_at').limit(1)
      expect(oldest?.created_at).toBeGreaterThan(clock.now() - (RETENTION + 9) * DAY_MS)
    } finally {
      await world.close()
    }
  },
)

const DEAD = { kind: 'next_permit' as const }
