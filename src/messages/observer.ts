import type { SendResult } from '../wechat/client.js'
import type { HeldMessage } from './message.js'
import type { Tally } from './tally.js'

/** Is told what the sending does, for whoever counts it. Called once a batch where possible; never throws. */
export interface SendingObserver {
  /** A claim was committed. */
  claimed(users: number, seconds: number): void
  /** Messages were taken over from lapsed leases, or because their retry was due. */
  tookOver(lapsed: number, due: number): void
  /** A request has been answered, or has failed. */
  answered(message: Pick<HeldMessage, 'channel' | 'attempts'>, result: SendResult): void
  /** Verdicts were written down. */
  settled(tally: Tally): void
}

export const UNOBSERVED: SendingObserver = {
  claimed() {},
  tookOver() {},
  answered() {},
  settled() {},
}
