import { NEVER_EXPIRES } from '../books/index.js'
import type { Bilingual } from '../lib/bilingual.js'
import { toIsoDate } from '../lib/business-date.js'
import { adviseToday } from './explain-advice.js'
import type { PermitFact } from './explain-facts.js'
import { heldUntil, type Standing } from './explain-standing.js'
import { clockTime, join, permitName, say, stopCause, type Told } from './explain-words.js'

/** Why the user was not or will not be due: the values that say so. */
export function sentenceOfStanding(told: Told): Bilingual {
  const { verdict, date } = told
  const { standing } = verdict
  if (!standing) throw new Error(`The outcome ${verdict.outcome} has no standing`)
  const isAhead = verdict.coming !== undefined || date > told.facts.date
  const opening = isAhead
    ? say(`The user will not be reminded on ${toIsoDate(date)}:`, `用户在 ${toIsoDate(date)} 不会收到提醒：`)
    : say(`The user got nothing on ${toIsoDate(date)}:`, `用户在 ${toIsoDate(date)} 没有收到提醒：`)
  return join(opening, SAID[standing.kind](told, standing), sayRemedy(standing), adviseToday(told))
}

const SAID: Record<Standing['kind'], (told: Told, standing: Standing) => Bilingual> = {
  due: () => say('nothing stands in the way.', '没有阻碍。'),
  no_permit: sayNoPermit,
  no_valid_permit: sayNoValidPermit,
  wrong_template: sayWrongTemplate,
  no_open_id: sayNoOpenId,
  opted_out: sayStop,
  blocked: sayStop,
  signed_in: saySignedIn,
}

function sayNoPermit(told: Told, { at, count, unspent }: Standing): Bilingual {
  const time = clockTime(told.account, at)
  if (!told.facts.counter && told.facts.permits.length === 0)
    return say('no permit of this user was ever accepted.', '该用户从未有过被接受的凭证。')
  if (unspent.length > 0)
    return say(
      `the counter says ${told.facts.counter ? count : 'nothing (it has no row)'}, though ${unspent.length} permits are unspent: run audit --fix.`,
      `计数${told.facts.counter ? `为 ${count}` : '没有记录'}，但有 ${unspent.length} 个未用凭证：请执行 audit --fix。`,
    )
  const spent = told.verdict.spentBefore ?? 0
  if (spent > 0)
    return say(
      `the reminders of the days before will have spent the last of ${spent} permits by ${time}.`,
      `到 ${time}，此前几天的提醒会把 ${spent} 个凭证用完。`,
    )
  return join(say(`no permit was left at ${time}.`, `${time} 时没有剩余凭证。`), sayLastGone(told, at))
}

/** What became of the user's last permit before a moment. */
function sayLastGone({ account, facts }: Told, at: number): Bilingual | undefined {
  const gone = facts.permits.filter((permit) => permit.status !== 0 && endOf(permit) <= at)
  const [last] = gone.sort((a, b) => endOf(b) - endOf(a))
  if (!last) return undefined
  const { en, zh } = permitName(last)
  const end = clockTime(account, endOf(last))
  if (last.status === 1)
    return say(`The last one, a ${en}, was spent at ${end}.`, `最后一个（${zh}）在 ${end} 用掉。`)
  return last.expire <= at
    ? say(`The last one, a ${en}, ran out at ${end}.`, `最后一个（${zh}）在 ${end} 过期。`)
    : say(
        `The last one, a ${en}, was void from ${end} on: the user had refused.`,
        `最后一个（${zh}）自 ${end} 起作废：用户已拒绝。`,
      )
}

/** When a permit that is gone was spent, ran out or became void. */
function endOf({ status, expire, spent_at, updated_at }: PermitFact): number {
  if (status === 1) return spent_at ?? updated_at
  return Math.min(expire, updated_at)
}

function sayNoValidPermit({ account, facts }: Told, { at, unspent, count }: Standing): Bilingual {
  const time = clockTime(account, at)
  const held = unspent.find((permit) => heldUntil(permit) > at)
  if (held) {
    const until = clockTime(account, heldUntil(held))
    return say(
      `the permit of a payment is held back until ${until}.`,
      `支付产生的凭证要到 ${until} 才可使用。`,
    )
  }
  const [last] = [...facts.permits]
    .filter(({ expire }) => expire <= at + 60_000 && expire < NEVER_EXPIRES)
    .slice(-1)
  if (!last)
    return say(
      `the counter says ${count}, but no permit was valid at ${time}. If none is unspent at all, run audit --fix.`,
      `计数为 ${count}，但 ${time} 时没有有效凭证；如果没有未用凭证，请执行 audit --fix。`,
    )
  const { en, zh } = permitName(last)
  const end = clockTime(account, last.expire)
  return say(
    `none of the permits was valid for another minute at ${time}; the ${en} that lasted longest ran out at ${end}.`,
    `${time} 时没有还能用一分钟以上的凭证；最晚的 ${zh} 于 ${end} 过期。`,
  )
}

function sayWrongTemplate({ facts }: Told, { valid }: Standing): Bilingual {
  const { channel, templateId } = facts.sentWith
  const [first] = valid
  const { en, zh } = permitName(first ?? { source: 'form' })
  if (channel === 'subscribe' && first?.source === 'subscribe')
    return say(
      `the ${valid.length} valid subscriptions are of template ${first.template_id ?? '(none)'}, and reminders go out with ${templateId || 'none'} (REMINDER_TEMPLATE_ID).`,
      `${valid.length} 个有效订阅属于模板 ${first.template_id ?? '（无）'}，而提醒使用 ${templateId || '（未设置）'}（REMINDER_TEMPLATE_ID）。`,
    )
  return say(
    `the ${valid.length} valid permits are of a kind (${en}) that channel ${channel} does not take (WX_CHANNEL).`,
    `${valid.length} 个有效凭证的类型（${zh}）不能用于 ${channel} 接口（WX_CHANNEL）。`,
  )
}

function sayNoOpenId({ account, facts }: Told, { at }: Standing): Bilingual {
  const time = clockTime(account, at)
  return join(
    say(`no open_id of the user was known at ${time}.`, `${time} 时还不知道该用户的 openid。`),
    facts.boundSince === undefined
      ? say('PUT /v1/users binds one; nothing else is needed.', '用 PUT /v1/users 绑定即可，无需凭证。')
      : undefined,
  )
}

function sayStop({ account }: Told, { stop }: Standing): Bilingual {
  if (!stop) return say('messages are stopped.', '已停发。')
  const cause = stopCause(stop)
  const began = clockTime(account, stop.began_at)
  const ended = stop.ended_at === null ? undefined : clockTime(account, stop.ended_at)
  const what = stop.kind === 'block' ? say('cannot be reached', '无法送达') : say('opted out', '已退订')
  return say(
    `the user ${stop.kind === 'block' ? what.en : `had ${what.en}`} since ${began} (${cause.en})${ended ? `, until ${ended}` : ''}.`,
    `用户自 ${began} 起${what.zh}（${cause.zh}）${ended ? `，直到 ${ended}` : ''}。`,
  )
}

function saySignedIn({ account, facts }: Told): Bilingual {
  const at = clockTime(account, facts.signIn?.at ?? 0)
  return say(`the user signed in at ${at}.`, `用户已于 ${at} 签到。`)
}

/** How a stop is ended. */
function sayRemedy({ kind }: Standing): Bilingual | undefined {
  if (kind !== 'opted_out' && kind !== 'blocked') return undefined
  return say(
    'DELETE /v1/users/{user_id}/opt-out, or bring-back --user, brings the user back.',
    '可用 DELETE /v1/users/{user_id}/opt-out 或 bring-back --user 恢复。',
  )
}
