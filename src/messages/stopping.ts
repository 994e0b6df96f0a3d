import type { Brake } from './brake.js'

/** Whether anything more may leave: nothing may after a signal, a halt of the brake, or an error. */
export interface Stopping {
  isStopping(): boolean
  /** Keeps the first error, and stops. */
  fail(error: unknown): void
  /** Call it when the brake may have halted. */
  look(): void
  readonly failure: unknown
  /** Stops listening to the signal. */
  end(): void
}

/** `onStop` is called for each new reason to stop, so that nothing waits for what will not come. */
export function createStopping(signal: AbortSignal, brake: Brake, onStop: () => void): Stopping {
  let failure: unknown
  signal.addEventListener('abort', onStop)
  if (signal.aborted) onStop()
  return {
    isStopping: () => signal.aborted || brake.halt !== undefined || failure !== undefined,
    fail(error) {
      failure ??= error
      onStop()
    },
    look() {
      if (brake.halt) onStop()
    },
    get failure() {
      return failure
    },
    end: () => signal.removeEventListener('abort', onStop),
  }
}
