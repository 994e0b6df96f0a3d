import type { TokenCounters } from '../tokens/shared-token.js'
import { type Instruments, setTo } from './instruments.js'

/** Returns what shows the counts that the shared token keeps. */
export function createTokenMetrics(
  instruments: Instruments,
): (appId: string, counters: TokenCounters) => void {
  const refreshes = instruments.counter(
    'token_refreshes_total',
    'Access tokens that this process fetched (refreshed), and attempts that brought none (failed).',
    ['app_id', 'result'],
  )
  const earlyDeaths = instruments.counter(
    'token_early_deaths_total',
    'Access tokens that WeChat refused well before their time, although no process of ours had replaced them: another program fetches tokens for this account.',
    ['app_id'],
  )
  return (app_id, { refreshed, failed, earlyDeaths: { count } }) => {
    setTo(refreshes, { app_id, result: 'refreshed' }, refreshed)
    setTo(refreshes, { app_id, result: 'failed' }, failed)
    setTo(earlyDeaths, { app_id }, count)
  }
}
