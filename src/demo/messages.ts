import type { Account } from '../account.js'
import type { Channel } from '../channel.js'
import { businessDate, toIsoDate } from '../lib/business-date.js'
import { HOUR_MS } from '../lib/durations.js'
import { DEMO_PRIZE_TEMPLATE_ID } from '../sandbox/accounts.js'
import type { SandboxControl } from '../sandbox/control.js'
import type { DemoApp } from './app.js'
import { cancel, submit } from './client.js'
import type { SampleDay } from './sample.js'

/** So many of those who signed in have won something each day; these of them are told in the evening. */
const WINNERS = 6
const TOLD_LATER = 2
const LATER_MS = 8 * HOUR_MS

/** The prize's notice, by the template that each channel has for it. */
const NOTICE: Record<Channel, (account: Account, date: string) => object> = {
  form_id: ({ templateId }) => ({
    template_id: templateId,
    data: { keyword1: '签到抽奖', keyword2: '恭喜中奖，请到小程序领取', keyword4: '今天' },
  }),
  subscribe: (_, date) => ({
    template_id: DEMO_PRIZE_TEMPLATE_ID,
    data: { thing1: '签到抽奖中奖', date2: date },
  }),
  official: ({ templateId }, date) => ({
    template_id: templateId,
    data: { thing1: '签到抽奖', thing2: '恭喜中奖，请到小程序领取', date3: date },
  }),
}

/**
 * The backend of a lottery tells the day's winners. Yesterday WeChat refused one notice again and again, so that there
 * is a dead letter to look at; today one is cancelled while it waits for the evening.
 */
export async function tellWinners(
  { account, backend }: Pick<DemoApp, 'account' | 'backend'>,
  wechat: SandboxControl,
  { signIns, daysAgo }: SampleDay,
  now: number,
): Promise<void> {
  const { appId, channel, timezone } = account
  const winners = signIns.slice(0, WINNERS)
  const [first] = winners
  if (daysAgo === 1 && first)
    wechat.addFault({ kind: 'errcode', errcode: 47003, match: { app_id: appId, open_id: first.openId } })
  const date = toIsoDate(businessDate(now, timezone)).replaceAll('-', '.')
  const items = winners.map(({ userId }, i) => ({
    user_id: userId,
    ...NOTICE[channel](account, date),
    ...(i < winners.length - TOLD_LATER ? {} : { not_before: now + LATER_MS }),
  }))
  const accepted = await submit(backend, `winners-${date}`, items)
  const waiting = accepted.filter(({ state }) => state === 'queued').at(-1)
  if (daysAgo === 0 && waiting) await cancel(backend, waiting.id)
}
