import { pause } from '../lib/pause.js'

/**
 * The summaries rest twice as long as they work: one connection in three is busy with them at most, and a run or uploads
 * beside them hardly notice.
 */
const REST_SHARE = 2
const MAX_REST_MS = 1_000

/** Returns what is called after each piece of work, and rests in proportion to the time since it was last called. */
export function createRest(signal: AbortSignal): () => Promise<void> {
  let startedAt = performance.now()
  return async () => {
    await pause(Math.min(MAX_REST_MS, (performance.now() - startedAt) * REST_SHARE), signal)
    startedAt = performance.now()
  }
}
