/**
 * Shorter waits for tests that crash the service hundreds of times. Not a setting for users: when a slow
 * database outlasts a lease, processes take messages from each other. The command line reads it only where
 * failpoints are armed, from a text such as `lease=2000,http=500,backoff=0.02`; what is not named keeps its
 * default.
 */
export interface TestTiming {
  /** ms of the lease on a message. */
  lease?: number
  /** ms without an answer from WeChat, for headers and body each. */
  http?: number
  /** The share of each retry pause that is really waited. */
  backoff?: number
  /** ms of the lease on a token refresh, and of the pause after a failed one. */
  token?: number
  /** ms that a statement may take. */
  statement?: number
}

const NAMES = ['lease', 'http', 'backoff', 'token', 'statement'] as const

let current: TestTiming = {}

export function setTestTiming(text: string): void {
  const timing: TestTiming = {}
  for (const entry of text.split(',')) {
    const [key, value] = entry.split('=')
    const name = NAMES.find((known) => known === key)
    if (!name || !(Number(value) > 0))
      throw new Error(`REMINDER_TEST_TIMING: "${entry}" is not one of ${NAMES}`)
    timing[name] = Number(value)
  }
  current = timing
}

export function clearTestTiming(): void {
  current = {}
}

export function testTiming(): TestTiming {
  return current
}
