import type { Bilingual } from '../lib/bilingual.js'
import { isoTime } from '../lib/iso-time.js'
import type { OpenMessages } from './open-store.js'

/** Describes them for a person; undefined if there are none. */
export function describeOpen(open: OpenMessages): Bilingual | undefined {
  const parts: Bilingual[] = []
  if (open.inHand > 0)
    parts.push({
      en: `${open.inHand} held by a process; if it is dead, they can be taken over from ${isoTime(open.inHandUntil)} on`,
      zh: `${open.inHand} 条正由进程处理；如果它已退出，可从 ${isoTime(open.inHandUntil)} 起接管`,
    })
  if (open.lapsed > 0)
    parts.push({
      en: `${open.lapsed} left by a process that died, to be taken over now`,
      zh: `${open.lapsed} 条由已退出的进程留下，现在即可接管`,
    })
  if (open.retriesDue > 0)
    parts.push({ en: `${open.retriesDue} to be retried now`, zh: `${open.retriesDue} 条现在重试` })
  if (open.retriesLater > 0)
    parts.push({
      en: `${open.retriesLater} to be retried later, the first at ${isoTime(open.nextRetryAt)}`,
      zh: `${open.retriesLater} 条稍后重试，最早 ${isoTime(open.nextRetryAt)}`,
    })
  if (parts.length === 0) return undefined
  return { en: parts.map(({ en }) => en).join('. '), zh: parts.map(({ zh }) => zh).join('；') }
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
