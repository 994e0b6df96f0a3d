import type { SendResult } from '../wechat/client.js'
import type { ErrcodeClass } from '../wechat/errcodes.js'

/** The class of an answer: that of WeChat's code, or why there was none. */
export type AnswerClass = ErrcodeClass | 'unreachable' | 'ambiguous'

export function classOf(result: SendResult): AnswerClass {
  if (result.kind === 'accepted') return 'ok'
  return result.kind === 'refused' ? result.entry.class : result.kind
}

export interface Policy {
  /**
   * What happens to the permit, and with it to the message, if no earlier attempt is in doubt (verdict.ts):
   * `delivers`, `kept` for another attempt, `in_doubt` because the message may have arrived, `replaced` by the user's
   * next one, `lost` with a message that failed, `given_back` to the user.
   */
  permit: 'delivers' | 'kept' | 'in_doubt' | 'replaced' | 'lost' | 'given_back'
  /**
   * What the answer tells the brake (brake.ts): `go_on`; `outage`, which pauses after five messages that have used up
   * their attempts; `mistake`, which halts at once before anything was accepted, else at five in a row; `strange`,
   * which halts at five in a row; `quota`, which pauses at once.
   */
  brake: 'go_on' | 'outage' | 'mistake' | 'strange' | 'quota'
  /** What the answer tells the pace (pace.ts). */
  pace: 'went_well' | 'slow_down' | 'neither'
  /** Who caused it. A sudden rise in answers that blame users halts the run: this was seen as a platform fault. */
  blame: 'nobody' | 'wechat' | 'permit' | 'user' | 'us' | 'unclear'
}

/** One line per class, with every effect stated: a new class does not compile without its line. */
export const POLICIES: Record<AnswerClass, Policy> = {
  ok: { permit: 'delivers', brake: 'go_on', pace: 'went_well', blame: 'nobody' },
  duplicate: { permit: 'delivers', brake: 'go_on', pace: 'neither', blame: 'nobody' },
  transient: { permit: 'kept', brake: 'outage', pace: 'slow_down', blame: 'wechat' },
  unreachable: { permit: 'kept', brake: 'outage', pace: 'slow_down', blame: 'wechat' },
  ambiguous: { permit: 'in_doubt', brake: 'outage', pace: 'slow_down', blame: 'wechat' },
  dead_permit: { permit: 'replaced', brake: 'go_on', pace: 'neither', blame: 'permit' },
  person_limit: { permit: 'kept', brake: 'go_on', pace: 'neither', blame: 'nobody' },
  user: { permit: 'lost', brake: 'go_on', pace: 'neither', blame: 'user' },
  token: { permit: 'given_back', brake: 'mistake', pace: 'neither', blame: 'us' },
  configuration: { permit: 'given_back', brake: 'mistake', pace: 'neither', blame: 'us' },
  quota: { permit: 'given_back', brake: 'quota', pace: 'neither', blame: 'us' },
  unknown: { permit: 'lost', brake: 'strange', pace: 'neither', blame: 'unclear' },
}

export function policyOf(result: SendResult): Policy {
  return POLICIES[classOf(result)]
}
