const STOP_LIMIT_MS = 30_000

/** The first signal asks for an orderly end, within a limit; a second one ends the process as usual. */
export function listenForSignals(): { stop: AbortSignal; end(): void } {
  const stop = new AbortController()
  let limit: NodeJS.Timeout | undefined
  function request(): void {
    stop.abort()
    limit ??= setTimeout(() => process.exit(1), STOP_LIMIT_MS).unref()
  }
  process.once('SIGINT', request)
  process.once('SIGTERM', request)
  return {
    stop: stop.signal,
    end() {
      clearTimeout(limit)
      process.off('SIGINT', request)
      process.off('SIGTERM', request)
    },
  }
}

/** Calls `act` on each SIGHUP, until what it returns is called. */
export function onHangUp(act: () => void): () => void {
  process.on('SIGHUP', act)
  return () => process.off('SIGHUP', act)
}

/** Resolves when a stop is requested, at once if the signal came while the command was still starting. */
export function requested(stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stop.aborted) resolve()
    else stop.addEventListener('abort', () => resolve(), { once: true })
  })
}
