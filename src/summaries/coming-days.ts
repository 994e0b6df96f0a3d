import { addDays, type BusinessDate, businessDate, dayExists } from '../lib/business-date.js'
import { firingsOn, parseCron } from '../lib/cron.js'
import { windowEnd } from '../messages/window.js'

/** The settings of an account that decide when it reminds. */
export interface ReminderTimes {
  appId: string
  timezone: string
  remindCron: string
  sendUntil: { hour: number; minute: number }
}

/** A coming day, as the forecast sees it. */
export interface ComingDay {
  date: BusinessDate
  /**
   * The moment (ms) at which permits must be valid: the day's first firing, or now if that is past. On a day without
   * reminders the end of its window.
   */
  at: number
  /** Whether reminders go out on it: REMIND_CRON fires, and before the sending window closes. */
  sends: boolean
  /**
   * How many firings it is away: 1 for the next one, 0 for today once its firing is past, null on a day without
   * reminders.
   */
  position: number | null
}

export interface ComingDays {
  /** Today while its window is open, else tomorrow. */
  from: BusinessDate
  days: ComingDay[]
  /** The first day after them on which reminders go out, if there is one within a year: it tells who goes dark. */
  next: ComingDay | undefined
}

const LOOK_AHEAD_DAYS = 366

/** The coming days of an account, in order. A day that its zone leaves out is left out. */
export function comingDays(times: ReminderTimes, count: number, now: number): ComingDays {
  const today = businessDate(now, times.timezone)
  const isOpen = dayAt(times, today, now, 0).sends && now < windowEnd(times, today)
  const from = isOpen ? today : addDays(today, 1)
  const days: ComingDay[] = []
  let firings = 0
  let date = from
  for (; days.length < count; date = addDays(date, 1)) {
    if (!dayExists(date, times.timezone)) continue
    const day = dayAt(times, date, now, firings + 1)
    if (day.position !== null) firings = day.position
    days.push(day)
  }
  return { from: days[0]?.date ?? from, days, next: nextSending(times, date, now) }
}

function nextSending(times: ReminderTimes, first: BusinessDate, now: number): ComingDay | undefined {
  let date = first
  for (let i = 0; i < LOOK_AHEAD_DAYS; i++, date = addDays(date, 1)) {
    const day = dayAt(times, date, now, 0)
    if (day.sends) return day
  }
  return undefined
}

function dayAt(times: ReminderTimes, date: BusinessDate, now: number, position: number): ComingDay {
  const closesAt = windowEnd(times, date)
  const [firing] = firingsOn(parseCron(times.remindCron), date, times.timezone)
  // A firing that comes after its window is recorded as missed, and nobody is reminded.
  if (firing === undefined || firing >= closesAt) return { date, at: closesAt, sends: false, position: null }
  return { date, at: Math.max(now, firing), sends: true, position: firing < now ? 0 : position }
}
