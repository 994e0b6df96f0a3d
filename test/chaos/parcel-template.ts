import { DEMO_ACCOUNT } from '../../src/sandbox/accounts.js'
import type { SandboxControl } from '../../src/sandbox/control.js'

/** What the backend sends by, beside the reminder's template. */
export const PARCEL_TEMPLATE_ID = 'chaos-parcel-template-0000000000000000000001'

/** Adds the parcel's template to the account. While it is broken it has a key that no message fills: 47003. */
export function putParcelTemplate(wechat: SandboxControl, isBroken: boolean): void {
  const keys = isBroken ? ['keyword1', 'keyword2'] : ['keyword1']
  wechat.putAccount({
    ...DEMO_ACCOUNT,
    templates: { ...DEMO_ACCOUNT.templates, [PARCEL_TEMPLATE_ID]: keys },
  })
}
