import type { Bilingual } from '../lib/bilingual.js'
import { toIsoDate } from '../lib/business-date.js'
import type { Standing } from './explain-standing.js'
import { clockTime, permitWithEnd, say, stopCause, type Told } from './explain-words.js'

/** The details of the checks: the values that were looked at. */

export function sayKnown({ verdict }: Told): Bilingual {
  return verdict.because === 'never_seen'
    ? say('no row of this user', '没有该用户的任何记录')
    : verdict.outcome === 'not_known'
      ? say('nothing on record of that day', '没有当天的记录')
      : say('on record', '有记录')
}

export function sayMessage({ facts, date, account }: Told): Bilingual {
  const { message, counter } = facts
  if (message && date === facts.date) {
    const since = clockTime(account, message.created_at)
    return say(
      `message ${message.state}, claimed at ${since}, attempts: ${message.attempts}`,
      `消息状态 ${message.state}，${since} 开始处理，尝试 ${message.attempts} 次`,
    )
  }
  const last = counter?.last_date ? toIsoDate(counter.last_date) : undefined
  return last === undefined
    ? say('never reminded', '从未提醒')
    : say(`last_date ${last}`, `last_date 为 ${last}`)
}

export function sayCount({ account, facts }: Told, { at, count, unspent }: Standing): Bilingual {
  const time = clockTime(account, at)
  const isWrong = facts.counter !== undefined && count !== unspent.length && !facts.hasMorePermits
  if (!facts.counter) return say('no counter row: no permit was ever accepted', '没有计数行：从未接受过凭证')
  const held = sayHeld(facts)
  return say(
    `count ${count} at ${time}${isWrong ? `; permits of status 0 that count: ${unspent.length}` : ''}${held.en}`,
    `${time} 时 count 为 ${count}${isWrong ? `，状态 0 且未过期的凭证 ${unspent.length} 个` : ''}${held.zh}`,
  )
}

/** Names the submitted messages that hold permits of the user, so that it is clear where these are. */
function sayHeld({ permits }: Told['facts']): Bilingual {
  const messages = permits.flatMap(({ held_by }) => (held_by === null ? [] : [held_by]))
  if (messages.length === 0) return say('', '')
  const ids = messages.sort((a, b) => a - b).join(', ')
  return say(`; held by submitted messages: ${ids}`, `；被接口消息占用：${ids}`)
}

export function sayValid({ account }: Told, { at, valid, unspent }: Standing): Bilingual {
  const time = clockTime(account, at)
  return say(
    `${valid.length} of ${unspent.length} unspent permits valid for another minute at ${time}`,
    `${time} 时 ${unspent.length} 个未用凭证中有 ${valid.length} 个还能用一分钟以上`,
  )
}

export function sayPermit({ account, facts }: Told, { permit }: Standing): Bilingual {
  const { channel, templateId } = facts.sentWith
  if (permit) return permitWithEnd(account, permit)
  return say(
    `none for channel ${channel}${channel === 'subscribe' ? ` and template ${templateId}` : ''}`,
    `没有适用于 ${channel}${channel === 'subscribe' ? ` 和模板 ${templateId}` : ''} 的凭证`,
  )
}

export function sayOpenId({ account, facts }: Told): Bilingual {
  if (facts.boundSince === undefined)
    return say('no open_id is bound to the user', '没有绑定到该用户的 openid')
  const since = clockTime(account, facts.boundSince)
  return say(`an open_id is known since ${since}`, `自 ${since} 起已知该用户的 openid`)
}

export function sayStop({ account }: Told, { stop }: Standing): Bilingual {
  if (!stop) return say('neither opted out nor blocked', '未退订，也未被拉黑')
  const { en, zh } = stopCause(stop)
  const began = clockTime(account, stop.began_at)
  return say(`${stop.kind} since ${began}: ${en}`, `${stop.kind} 始于 ${began}：${zh}`)
}

export function saySignIn({ account, facts, date }: Told, { hasSignedIn }: Standing): Bilingual {
  const { signIn } = facts
  if (date > facts.date) return say('not known yet', '尚不可知')
  if (!signIn) return say('no sign-in on that day', '当天没有签到')
  const at = clockTime(account, signIn.at)
  return hasSignedIn ? say(`at ${at}`, `${at} 签到`) : say(`later, at ${at}`, `之后才签到：${at}`)
}

export function sayRun({ account, facts, date, verdict }: Told): Bilingual {
  const { coming } = verdict
  const { run } = facts
  if (coming)
    return say(`run at ${clockTime(account, coming.at)}`, `任务时间 ${clockTime(account, coming.at)}`)
  if (!run || date > facts.date) return say('no run', '没有任务')
  const from = clockTime(account, run.started_at)
  const to = run.finished_at === null ? undefined : clockTime(account, run.finished_at)
  return say(
    `run ${run.state}, started ${from}${to ? `, ended ${to}` : ''}`,
    `任务状态 ${run.state}，开始 ${from}${to ? `，结束 ${to}` : ''}`,
  )
}
