import type { TokenCounters } from '../tokens/shared-token.js'
import type { Instruments } from './instruments.js'

/** Returns what shows the counts that the shared token keeps. */
export function createTokenMetrics(instruments: Instruments): (counters: TokenCounters) => void {
  const refreshes = instruments.counter(
    'token_refreshes_total',
    'Access tokens that this process fetched (refreshed), and attempts that brought none (failed).',
    ['result'],
  )
  const earlyDeaths = instruments.counter(
    'token_early_deaths_total',
    'Access tokens that WeChat refused well before their time, although no process of ours had replaced them: another program fetches tokens for this account.',
  )
  return ({ refreshed, failed, earlyDeaths: { count } }) => {
    refreshes.reset()
    refreshes.inc({ result: 'refreshed' }, refreshed)
    refreshes.inc({ result: 'failed' }, failed)
    earlyDeaths.reset()
    earlyDeaths.inc(count)
  }
}
