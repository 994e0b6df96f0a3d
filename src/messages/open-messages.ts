import { isoTime } from '../lib/iso-time.js'
import type { OpenMessages } from './open-store.js'

/** Describes them for a person; undefined if there are none. */
export function describeOpen(open: OpenMessages): string | undefined {
  const parts: string[] = []
  if (open.inHand > 0)
    parts.push(
      `${open.inHand} held by a process; if it is dead, they can be taken over from ${isoTime(open.inHandUntil)} on`,
    )
  if (open.lapsed > 0) parts.push(`${open.lapsed} left by a process that died, to be taken over now`)
  if (open.retriesDue > 0) parts.push(`${open.retriesDue} to be retried now`)
  if (open.retriesLater > 0)
    parts.push(`${open.retriesLater} to be retried later, the first at ${isoTime(open.nextRetryAt)}`)
  return parts.length > 0 ? parts.join('. ') : undefined
}

export interface OpenJson {
  in_hand: number
  in_hand_until: string | null
  lapsed: number
  retries_due: number
  retries_later: number
  next_retry_at: string | null
}

/** The same, as commands print it with --json. */
export function openToJson(open: OpenMessages): OpenJson {
  return {
    in_hand: open.inHand,
    in_hand_until: isoTime(open.inHandUntil),
    lapsed: open.lapsed,
    retries_due: open.retriesDue,
    retries_later: open.retriesLater,
    next_retry_at: isoTime(open.nextRetryAt),
  }
}
