import { ServiceError } from '../errors.js'

/** One piece of work at a time that belongs to the process and not to a request: the browser may be closed. */
export interface Background {
  /**
   * Begins it, and returns its end; `busy`: there is one under way. Its failure is handed on, so nobody has to wait for
   * the end. Throws `not_ready` once the process stops.
   */
  begin(work: (signal: AbortSignal) => Promise<unknown>): { end: Promise<void> } | 'busy'
  isBusy(): boolean
  /** Asks what is under way to end, and waits for it. Nothing is begun afterwards. */
  stop(): Promise<void>
}

export function createBackground(onFailed: (error: unknown) => void): Background {
  const stopping = new AbortController()
  let underWay: Promise<void> | undefined

  return {
    begin(work) {
      if (stopping.signal.aborted) throw new ServiceError('not_ready', 'This process is being stopped')
      if (underWay) return 'busy'
      const end = work(stopping.signal)
        .then(() => {})
        .finally(() => {
          underWay = undefined
        })
      underWay = end.catch(onFailed)
      return { end }
    },
    isBusy: () => underWay !== undefined,
    async stop() {
      stopping.abort()
      await underWay
    },
  }
}
