import type { Account } from '../account.js'
import type { Bilingual } from '../lib/bilingual.js'
import { addDays, businessDate } from '../lib/business-date.js'
import { scheduleOf } from './explain-schedule.js'
import { standingNow } from './explain-standing.js'
import { clockTime, join, say, type Told } from './explain-words.js'

/** A cron of one day a month fires within this time; rarer ones are not looked for. */
const LOOK_AHEAD_DAYS = 32

/** Of today's run that is over: whether `remind` would still reach the user, and when the next run is. */
export function adviseToday({ account, facts, verdict, date, now }: Told): Bilingual | undefined {
  if (verdict.coming || date !== facts.date || date !== businessDate(now, account.timezone)) return undefined
  const isOpen = now < scheduleOf(account, date).closesAt
  return join(isOpen && facts.run ? adviseRemind({ facts, now }) : undefined, sayNextRun(account, date))
}

function adviseRemind({ facts, now }: Pick<Told, 'facts' | 'now'>): Bilingual {
  const { kind } = standingNow(facts, now)
  return kind === 'due'
    ? say('`remind`, started by hand now, reaches the user.', '现在手动执行 `remind` 可以提醒该用户。')
    : say(
        `\`remind\`, started by hand now, passes the user over: ${kind}.`,
        `现在手动执行 \`remind\` 会跳过该用户：${kind}。`,
      )
}

function sayNextRun(account: Account, today: number): Bilingual | undefined {
  for (let days = 1, date = today; days <= LOOK_AHEAD_DAYS; days++) {
    date = addDays(date, 1)
    const [first] = scheduleOf(account, date).useful
    if (first === undefined) continue
    const at = clockTime(account, first)
    return say(`The next run is at ${at}.`, `下次任务在 ${at}。`)
  }
  return undefined
}
