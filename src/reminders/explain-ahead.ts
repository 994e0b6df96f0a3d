import type { Account } from '../account.js'
import { addDays, type BusinessDate } from '../lib/business-date.js'
import { firingsOn, parseCron } from '../lib/cron.js'
import { windowEnd } from '../messages/window.js'
import type { Facts } from './explain-facts.js'
import { type Coming, scheduleOf } from './explain-schedule.js'
import { fits, type Standing, standingNow, standingOf } from './explain-standing.js'
import { REMINDED_BY_COUNTER, type Verdict, verdictOfComing } from './explain-verdict.js'
import { planSpending } from './spend-plan.js'

/**
 * A day to come, if no permit arrives and the user does not sign in: what is left after the reminders of the days
 * before it. `today` is what is on record for today, and `coming` when today's run will look at the user.
 */
export function verdictOfDayAhead(
  account: Account,
  date: BusinessDate,
  { today, coming }: { today: Facts; coming: Coming | undefined },
): Verdict {
  const { counter } = today
  if (counter && counter.last_date >= date) return REMINDED_BY_COUNTER
  const { firings, useful, closesAt } = scheduleOf(account, date)
  const before = remindersBefore(account, date, today, coming)
  const left = permitsLeft(today, before)
  const standingThen = (at: number): Standing =>
    standingOf({ ...today, signIn: undefined }, at, left.permits, (counter?.count ?? 0) - left.spent)
  const [first, ...rest] = useful
  const verdict =
    first !== undefined && account.templateId !== ''
      ? verdictOfComing({ moments: [first, ...rest], how: 'firing' }, standingThen)
      : withoutRun(account, firings.length > 0, standingThen(firings[0] ?? closesAt))
  return { ...verdict, spentBefore: left.spent }
}

function withoutRun({ templateId }: Account, hasFiring: boolean, standing: Standing): Verdict {
  if (standing.kind !== 'due') return { outcome: standing.kind, standing }
  if (!hasFiring) return { outcome: 'not_reached', because: 'no_firing', standing }
  if (templateId === '') return { outcome: 'not_reached', because: 'no_template', standing }
  return { outcome: 'run_missed', because: 'late_firing', standing }
}

/** When the reminders before `date` go out, one a day. */
function remindersBefore(
  account: Account,
  date: BusinessDate,
  today: Facts,
  coming: Coming | undefined,
): number[] {
  const lastDate = today.counter?.last_date ?? 0
  // While a stop holds, nothing is spent.
  if (account.templateId === '' || today.stops.some(({ ended_at }) => ended_at === null)) return []
  const isTodayOpen = !today.message && lastDate < today.date
  const dueToday = coming?.moments.find((at) => standingNow(today, at).kind === 'due')
  const times = isTodayOpen && dueToday !== undefined ? [dueToday] : []
  // A reminder spends a permit or finds none left, so there need be no more of them than there are permits.
  const most = today.permits.filter(({ status }) => status === 0).length
  const cron = parseCron(account.remindCron)
  for (let day = addDays(today.date, 1); day < date && times.length < most; day = addDays(day, 1)) {
    if (day <= lastDate) continue
    const closesAt = windowEnd(account, day)
    const at = firingsOn(cron, day, account.timezone).find((firing) => firing < closesAt)
    if (at !== undefined) times.push(at)
  }
  return times
}

/** The permits that reminders at these times leave, and how many they spend. */
function permitsLeft(today: Facts, times: number[]): { permits: Facts['permits']; spent: number } {
  const unspent = today.permits.filter(({ status }) => status === 0)
  const usable = unspent.filter((permit) => fits(permit, today.sentWith))
  const plan = planSpending(
    usable.map(({ expire }) => expire),
    times,
  )
  // A claim looks at the counter first.
  const spent = plan
    .flatMap((index) => (index === undefined ? [] : (usable[index] ?? [])))
    .slice(0, Math.max(0, today.counter?.count ?? 0))
  return { permits: unspent.filter((permit) => !spent.includes(permit)), spent: spent.length }
}
