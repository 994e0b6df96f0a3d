import type { Account } from '../../src/account.js'
import { type Environment, readAccount } from '../../src/config/read.js'

export const APP_ID = 'wxbench'

export const SETTINGS: Environment = {
  WX_APP_ID: APP_ID,
  WX_APP_SECRET: 'bench',
  REMINDER_TEMPLATE_ID: 'bench',
  REMINDER_DATA: JSON.stringify({
    keyword1: '日领积分',
    keyword2: '已经连续答题{streak}天',
    keyword4: '{date}',
  }),
  SEND_UNTIL: '23:59',
}

export function benchAccount(): Account {
  return readAccount(SETTINGS)
}

/** One template message as all candidates send it: 423 bytes or so. */
export function templateMessage(openId: string, formId: string): object {
  return {
    touser: openId,
    template_id: 'bench',
    form_id: formId,
    data: {
      keyword1: { value: '日领积分' },
      keyword2: { value: '已经连续答题0天' },
      keyword4: { value: '2026.11.21' },
    },
  }
}
