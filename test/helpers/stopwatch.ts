const STEP_MS = 20

/**
 * What the work gave, and for how many ms it was waited for, counted in turns of this process: where it was not let run
 * for a second that is 20 ms. For tests that show that something is not waited for: the clock goes on while a busy
 * machine does other things, and nothing has waited then.
 */
export async function timed<T>(work: () => Promise<T>): Promise<{ result: T; ms: number }> {
  let turns = 0
  const timer = setInterval(() => turns++, STEP_MS)
  try {
    const result = await work()
    return { result, ms: turns * STEP_MS }
  } finally {
    clearInterval(timer)
  }
}

/** What the work gave, and how many ms of the processor it took. */
export async function calculated<T>(work: () => T | Promise<T>): Promise<{ result: T; ms: number }> {
  const started = process.cpuUsage()
  const result = await work()
  const { user, system } = process.cpuUsage(started)
  return { result, ms: (user + system) / 1_000 }
}
