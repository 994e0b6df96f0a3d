import { setTimeout as sleep } from 'node:timers/promises'

/**
 * The result of `work`, or an error once `ms` have passed. The work itself goes on, but nobody waits for it
 * any more.
 */
export async function withDeadline<T>(work: Promise<T>, ms: number): Promise<T> {
  const settled = new AbortController()
  const deadline = sleep(ms, undefined, { signal: settled.signal }).then(() => {
    throw new Error(`Not done within ${ms} ms`)
  })
  try {
    return await Promise.race([work, deadline])
  } finally {
    deadline.catch(() => {})
    settled.abort()
  }
}
