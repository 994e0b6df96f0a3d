import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 20
/** Only ends what never comes: on a busy machine what takes a second takes half a minute. */
const TIMEOUT_MS = 60_000

/**
 * Asks until the answer is neither false nor undefined, and gives it. A test waits on a condition with this, never for
 * a time; `what` says in the failure what did not come.
 */
export async function eventually<T>(
  what: string,
  ask: () => T | Promise<T>,
  timeoutMs = TIMEOUT_MS,
): Promise<Exclude<T, false | undefined>> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const answer = await ask()
    if (answer !== false && answer !== undefined) return answer as Exclude<T, false | undefined>
    if (performance.now() > deadline) throw new Error(`Not within ${timeoutMs} ms: ${what}`)
    await sleep(POLL_MS)
  }
}
