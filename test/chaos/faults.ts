import type { FaultSpec } from '../../src/sandbox/faults.js'

/** What goes wrong at WeChat, by weight. A code is given after the effect only where errcodes.ts says that it may hide one. */
const MIX: (FaultSpec & { weight: number })[] = [
  { weight: 3, kind: 'cut_after' },
  { weight: 2, kind: 'cut_before' },
  { weight: 2, kind: 'errcode', errcode: -1 },
  { weight: 2, kind: 'errcode', errcode: -1, effect: 'after' },
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
  { weight: 1, kind: 'http_status', status: 503, effect: 'after' },
  { weight: 1, kind: 'redirect' },
  { weight: 0.3, kind: 'token_dead' },
  // A mistake in the settings, for the way back of permits.
  { weight: 0.2, kind: 'errcode', errcode: 40037 },
]

/** The mix, so that a call is struck with a probability of about `rate`; and the time that a true answer takes. */
export function mixedFaults(rate: number): FaultSpec[] {
  const total = MIX.reduce((sum, { weight }) => sum + weight, 0)
  // Each fault is asked only if those before it passed the call by, so its share is of what is left.
  let left = 1
  const faults = MIX.map(({ weight, ...fault }): FaultSpec => {
    const share = (rate * weight) / total
    const conditional = share / left
    left -= share
    return { ...fault, rate: Math.min(1, conditional) }
  })
  return [{ kind: 'latency', ms: 5, effect: 'before' }, { kind: 'latency', ms: 15, rate: 0.5 }, ...faults]
}
