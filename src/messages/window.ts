import { timeOn } from '../lib/business-date.js'
import type { HeldMessage } from './message.js'

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

/** What decides until when a message may leave. */
export type Timed = Pick<HeldMessage, 'businessDate' | 'notAfter'>

/**
 * Tells when a message's window closes, in ms: that of its day for a reminder, and what its backend said for a submitted
 * message. Each day is worked out once.
 */
export function createDeadlines(window: SendingWindow): (message: Timed) => number {
  const ends = new Map<number, number>()
  return ({ businessDate: date, notAfter }) => {
    if (date === null) return notAfter ?? Number.POSITIVE_INFINITY
    const end = ends.get(date) ?? windowEnd(window, date)
    ends.set(date, end)
    return end
  }
}
