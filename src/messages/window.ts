import { timeOn } from '../lib/business-date.js'

/** The part of an account that decides until when its reminders may be sent. */
export interface SendingWindow {
  appId: string
  timezone: string
  sendUntil: { hour: number; minute: number }
}

/** End of the sending window of a business date, in ms. */
export function windowEnd(window: SendingWindow, date: number): number {
  return timeOn(date, window.sendUntil.hour, window.sendUntil.minute, window.timezone)
}

/** Tells when a message's window closes, in ms: never for a message without a day. Each day is worked out once. */
export function createDeadlines(window: SendingWindow): (businessDate: number | null) => number {
  const ends = new Map<number, number>()
  return (date) => {
    if (date === null) return Number.POSITIVE_INFINITY
    const end = ends.get(date) ?? windowEnd(window, date)
    ends.set(date, end)
    return end
  }
}
