import { createRequire } from 'node:module'

const STEP_MS = 20
/**
 * A tick moves undici's clock by 1 ms less than it is told, and dates what has begun since the last one back by so
 * much.
 */
const BACKDATED_MS = 998

/** What undici's timeouts go by. */
const clock: { tick(ms: number): void } = createRequire(import.meta.url)('undici/lib/util/timers.js')

const users = new Set<object>()
let timer: NodeJS.Timeout | undefined

export interface FineTimeout {
  /** What undici has to be told. */
  ms: number
  /** Lets undici look as rarely as before. */
  end(): void
}

/**
 * A timeout of undici's that is as short as it says: undici looks twice a second, which makes a second of 100 ms. Until
 * the end it looks every 20 ms. Its clock then counts turns of this process: nobody loses patience while a busy machine
 * does not let it run. Other timeouts of undici's are a second shorter meanwhile.
 */
export function fineTimeout(ms: number): FineTimeout {
  const user = {}
  users.add(user)
  timer ??= setInterval(() => clock.tick(STEP_MS + 1), STEP_MS).unref()
  return {
    ms: ms + BACKDATED_MS,
    end: () => {
      users.delete(user)
      if (users.size > 0) return
      clearInterval(timer)
      timer = undefined
    },
  }
}
