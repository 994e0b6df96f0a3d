import type { Logger } from '../lib/logger.js'
import type { Source } from '../messages/delivery.js'
import { emptyTally, type Tally } from '../messages/tally.js'

const EVERY_MS = 10_000

/** Logs how a run goes on in this process, every 10 s while it works. */
export interface ProgressLog {
  /** The same source; what it hands out is counted as claimed. */
  watch(source: Source): Source
  settled(tally: Tally): void
}

/** There is no timer: a run that works claims or settles something, or asks for more, every second. */
export function createProgressLog(
  { log, now }: { log: Logger; now(): number },
  about: { app_id: string; run_id: number; date: number },
): ProgressLog {
  let claimed = 0
  let tally = emptyTally()
  let last = { at: now(), ended: 0 }

  function look(): void {
    const at = now()
    const ms = at - last.at
    if (ms < EVERY_MS) return
    const { delivered, failed, unknown } = tally
    const ended = delivered + failed + unknown
    log.info({
      event: 'remind.progress',
      ...about,
      claimed,
      delivered,
      failed,
      unknown,
      per_second: Math.round(((ended - last.ended) * 10_000) / ms) / 10,
    })
    last = { at, ended }
  }

  return {
    watch: (source) => ({
      async next(idle) {
        look()
        const messages = await source.next(idle)
        claimed += messages?.length ?? 0
        return messages
      },
    }),
    settled(sofar) {
      tally = sofar
      look()
    },
  }
}
