import { SECOND_MS } from '../lib/durations.js'
/** SEND_RATE: one rate for all messages that this process sends for an account, whichever job sends them. */
export interface Rate {
  /** Messages per second, for all processes together if they share it; undefined = no limit. */
  readonly perSecond: number | undefined
  /**
   * Resolves when one message may be sent, in the order of the calls. On the signal it resolves at once, without a
   * turn.
   */
  turn(signal: AbortSignal): Promise<void>
}

/** Consecutive turns, `intervalMs` apart, the first at `at` on the clock of performance.now(). */
export interface Turns {
  at: number
  count: number
  intervalMs: number
}

/** Returns this many turns, which nobody else gets. Never rejects. */
export type TakeTurns = (count: number) => Promise<Turns>

/**
 * The size of the bucket: a turn may still be used this long after its time. Timers and requests are a few
 * milliseconds late, and without this credit each delay would lose turns. So no second exceeds the rate by more than
 * a twentieth and one message.
 */
export const CREDIT_MS = 50
/**
 * How much is taken at a time: ten requests a second to whoever shares out the rate, and a crash loses no more than
 * this.
 */
export const SLICE_MS = 100
/** Timers cannot wait for months. */
const LONGEST_WAIT_MS = 60 * SECOND_MS

/** Without `take`, the rate is this process's alone. */
export function createRate(perSecond: number | undefined, take?: TakeTurns): Rate {
  if (perSecond === undefined) {
    const atOnce = Promise.resolve()
    return { perSecond, turn: () => atOnce }
  }
  return { perSecond, turn: createQueue(perSecond, take ?? createLocalTurns(SECOND_MS / perSecond)) }
}

/** A token bucket of this process. `slower` stretches the time that turns take: 3 gives a third of the rate. */
export function createLocalTurns(intervalMs: number): (count: number, slower?: number) => Promise<Turns> {
  let free = Number.NEGATIVE_INFINITY
  return async (count, slower = 1) => {
    const at = Math.max(free, performance.now() - CREDIT_MS)
    free = at + count * intervalMs * slower
    return { at, count, intervalMs: intervalMs * slower }
  }
}

/** One queue and one timer, however many wait: the first in line gets the next turn when its time has come. */
function createQueue(perSecond: number, take: TakeTurns): Rate['turn'] {
  const slice = Math.max(1, Math.floor((perSecond * SLICE_MS) / SECOND_MS))
  const waiting = new Set<() => void>()
  let turns: Turns = { at: 0, count: 0, intervalMs: 0 }
  let taking = false
  let timer: NodeJS.Timeout | undefined

  function serve(): void {
    for (const next of waiting) {
      if (taking || timer) return
      turns = withoutMissed(turns)
      const wait = turns.at - performance.now()
      if (turns.count === 0) void takeMore()
      else if (wait > 0) wake(wait)
      else {
        turns = { ...turns, at: turns.at + turns.intervalMs, count: turns.count - 1 }
        next()
      }
    }
  }

  async function takeMore(): Promise<void> {
    taking = true
    turns = await take(Math.min(slice, waiting.size))
    taking = false
    serve()
  }

  function wake(afterMs: number): void {
    timer = setTimeout(
      () => {
        timer = undefined
        serve()
      },
      Math.min(LONGEST_WAIT_MS, Math.ceil(afterMs)),
    )
  }

  return async (signal) => {
    if (signal.aborted) return
    await new Promise<void>((resolve) => {
      const leave = (): void => {
        signal.removeEventListener('abort', leave)
        waiting.delete(leave)
        if (waiting.size === 0) {
          clearTimeout(timer)
          timer = undefined
        }
        resolve()
      }
      signal.addEventListener('abort', leave)
      waiting.add(leave)
      serve()
    })
  }
}

/** Drops turns that nobody used in time: they must not come as a burst later. A slow rate keeps its latest one. */
function withoutMissed({ at, count, intervalMs }: Turns): Turns {
  const usableFrom = performance.now() - Math.max(CREDIT_MS, intervalMs)
  const missed = Math.min(count, Math.max(0, Math.ceil((usableFrom - at) / intervalMs)))
  return { at: at + missed * intervalMs, count: count - missed, intervalMs }
}
