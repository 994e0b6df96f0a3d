import type { FaultSpec } from '../../src/sandbox/faults.js'
import { OFFICIAL_SEND_PATH, SUBSCRIBE_SEND_PATH } from '../../src/sandbox/send-endpoints.js'
import type { Luck } from './luck.js'
import type { ChaosOptions } from './options.js'
import { BUSY_CODES, BUSY_STATUSES } from './unknowns.js'

type Weighted = FaultSpec & { weight: number }

/** What goes wrong at WeChat, by weight. */
const MIX: Weighted[] = [
  { weight: 3, kind: 'cut_after' },
  { weight: 2, kind: 'cut_before' },
  { weight: 2, kind: 'errcode', errcode: -1 },
  { weight: 2, kind: 'errcode', errcode: 45011 },
  { weight: 1, kind: 'errcode', errcode: 43108 },
  { weight: 2, kind: 'hang' },
  { weight: 1, kind: 'hang', effect: 'after' },
  { weight: 1, kind: 'stall' },
  { weight: 2, kind: 'garbage' },
  { weight: 1, kind: 'garbage', effect: 'before' },
  { weight: 2, kind: 'truncated' },
  { weight: 1, kind: 'wrong_content_type' },
  { weight: 1, kind: 'http_status', status: 500 },
  { weight: 1, kind: 'http_status', status: 503 },
  { weight: 1, kind: 'redirect' },
  { weight: 0.3, kind: 'token_dead' },
  // A mistake in the settings, for the way back of permits.
  { weight: 0.2, kind: 'errcode', errcode: 40037 },
]

/** A busy answer after the effect: where there is a key, the permit tells (see errcodes.ts). */
const WITH_A_KEY: Weighted[] = [
  { weight: 2, kind: 'errcode', errcode: -1, effect: 'after' },
  { weight: 1, kind: 'http_status', status: 503, effect: 'after' },
]

/** The mix, so that a call is struck with a probability of about `rate`; and the time that a true answer takes. */
export function mixedFaults(channel: ChaosOptions['channel'], rate: number): FaultSpec[] {
  const mix = channel === 'form_id' ? [...MIX, ...WITH_A_KEY] : MIX
  const total = mix.reduce((sum, { weight }) => sum + weight, 0)
  // Each fault is asked only if those before it passed the call by, so its share is of what is left.
  let left = 1
  const faults = mix.map(({ weight, ...fault }): FaultSpec => {
    const share = (rate * weight) / total
    const conditional = share / left
    left -= share
    return { ...fault, rate: Math.min(1, conditional) }
  })
  return [{ kind: 'latency', ms: 5, effect: 'before' }, { kind: 'latency', ms: 15, rate: 0.5 }, ...faults]
}

/** WeChat takes nothing and says so, in one of its ways. Asked before the mix, if it is put in place first. */
export function outage(luck: Luck, channel: ChaosOptions['channel']): FaultSpec {
  const code = luck.pick([...BUSY_CODES, ...BUSY_STATUSES])
  const match = { path: channel === 'official' ? OFFICIAL_SEND_PATH : SUBSCRIBE_SEND_PATH }
  return BUSY_STATUSES.includes(code)
    ? { id: OUTAGE, kind: 'http_status', status: code, match }
    : { id: OUTAGE, kind: 'errcode', errcode: code, match }
}

export const OUTAGE = 'outage'
/** Keeps its place before the mix between two outages. */
export const NO_OUTAGE: FaultSpec = { id: OUTAGE, kind: 'latency', ms: 0, rate: 0 }
