import type { Auxiliary } from '../../src/wechat/auxiliary.js'
import { unreachableBecause } from '../../src/wechat/failure.js'

/** A WeChat that tells neither templates nor quotas, for tests of other things. */
export const muteAuxiliary: Auxiliary = {
  timeoutMs: 1_000,
  ask: async () => unreachableBecause('refused'),
}
