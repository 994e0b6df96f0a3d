import type { Account } from '../account.js'
import type { Bilingual } from '../lib/bilingual.js'
import { addDays, businessDate } from '../lib/business-date.js'
import type { Facts, RunFact } from './explain-facts.js'
import { scheduleOf } from './explain-schedule.js'
import { standingNow } from './explain-standing.js'
import { clockTime, join, say, type Told } from './explain-words.js'
import { remedyOf } from './remedies.js'

/** A cron of one day a month fires within this time; rarer ones are not looked for. */
const LOOK_AHEAD_DAYS = 32

/** Of today's run that is over: what to do, whether `remind` would still reach the user, and when the next run is. */
export function adviseToday({ account, facts, verdict, date, now }: Told): Bilingual | undefined {
  if (verdict.coming || date !== facts.date || date !== businessDate(now, account.timezone)) return undefined
  const isOpen = now < scheduleOf(account, date).closesAt
  const { run } = facts
  const ofTheRun = isOpen && run ? adviseRemind(facts, run, now) : undefined
  const remedy = isOpen && run && verdict.standing?.kind === 'due' ? remedyOf(run.state, run.reason) : null
  return join(remedy ?? undefined, ofTheRun, sayNextRun(account, date))
}

function adviseRemind(facts: Facts, { state, hasUnread }: RunFact, now: number): Bilingual {
  const { kind } = standingNow(facts, now)
  // Started beside a run that is under way, `remind` goes on with it.
  if (state === 'running')
    return hasUnread
      ? say('The run has passed the user, and is still running.', '任务仍在进行，但已经过该用户。')
      : say(
          'The run is still running. If the process that worked on it has died, the next one looks at everybody again.',
          '任务仍在进行。如果执行它的进程已经退出，下一个进程会重新查看所有用户。',
        )
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
