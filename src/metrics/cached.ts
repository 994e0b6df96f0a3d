import { withDeadline } from '../lib/deadline.js'

/** What a look brought: a fresh value, or, while none can be had, the last one that there was. */
export interface Look<T> {
  value: T | undefined
  isFresh: boolean
}

/**
 * Reads at most once in `maxAgeMs`, however many ask, and one read at a time. A read that fails or takes longer than
 * `patienceMs` makes the look stale; while that read hangs, later looks do not wait for it at all.
 */
export function createCached<T>(
  read: () => Promise<T>,
  { maxAgeMs, patienceMs }: { maxAgeMs: number; patienceMs: number },
): () => Promise<Look<T>> {
  let value: T | undefined
  let readAt = Number.NEGATIVE_INFINITY
  let failedAt = Number.NEGATIVE_INFINITY
  let underWay: { since: number; done: Promise<void> } | undefined

  function start(): { since: number; done: Promise<void> } {
    const since = performance.now()
    const done = read()
      .then((fresh) => {
        value = fresh
        readAt = since
      })
      .catch(() => {
        failedAt = since
      })
      .finally(() => {
        underWay = undefined
      })
    return { since, done }
  }

  return async () => {
    const asked = performance.now()
    const isRecent = (time: number): boolean => asked - time < maxAgeMs
    if (isRecent(readAt) && readAt > failedAt) return { value, isFresh: true }
    if (isRecent(failedAt)) return { value, isFresh: false }
    underWay ??= start()
    const left = patienceMs - (asked - underWay.since)
    if (left > 0) await withDeadline(underWay.done, left).catch(() => {})
    return { value, isFresh: readAt > failedAt && performance.now() - readAt < maxAgeMs }
  }
}
