import { needsPermit } from '../channel.js'
import type { Bilingual } from '../lib/bilingual.js'
import { toIsoDate } from '../lib/business-date.js'
import { sentenceOfRun } from './explain-run-sentences.js'
import { sentenceOfStanding } from './explain-standing-sentences.js'
import type { Because, Outcome, Verdict } from './explain-verdict.js'
import {
  clockTime,
  codeWithMeaning,
  join,
  permitWithEnd,
  runReason,
  say,
  type Told,
} from './explain-words.js'

/** The answer in one or two sentences, with the values that decided it. */
export function sentenceOf(told: Told): Bilingual {
  const said = SENTENCES[told.verdict.outcome](told)
  return join(said, sayDoubt(told.verdict))
}

function sayDoubt({ orElse, countsOnUndated }: Verdict): Bilingual | undefined {
  if (orElse)
    return say(
      `The run came by at some time in between; by then it may have been: ${orElse.join(', ')}.`,
      `任务在这期间的某一刻轮到该用户，届时也可能是：${orElse.join('、')}。`,
    )
  if (countsOnUndated)
    return say(
      'There is a valid permit without a time (created_at 0): it was perhaps written after the run.',
      '有一个没有时间（created_at 为 0）的有效凭证，可能是任务之后写入的。',
    )
  return undefined
}

const SENTENCES: Record<Outcome, (told: Told) => Bilingual> = {
  will_be_reminded: sayComing,
  reminded: sayReminded,
  being_sent: sayBeingSent,
  failed: sayFailed,
  unknown: sayUnknown,
  signed_in: sentenceOfStanding,
  no_permit: sentenceOfStanding,
  no_valid_permit: sentenceOfStanding,
  wrong_template: sentenceOfStanding,
  no_open_id: sentenceOfStanding,
  opted_out: sentenceOfStanding,
  blocked: sentenceOfStanding,
  not_known: sayNotKnown,
  run_halted: sentenceOfRun,
  run_paused: sentenceOfRun,
  run_missed: sentenceOfRun,
  window_closed: sentenceOfRun,
  not_reached: sentenceOfRun,
}

function sayComing(told: Told): Bilingual {
  const { account, facts, verdict, date } = told
  const { coming } = verdict
  const at = clockTime(account, coming?.at ?? 0)
  const zone = account.timezone
  const permit = sayWith(told)
  const limit =
    facts.run?.state === 'running' && facts.run.claim_limit !== null && coming?.how === 'under_way'
  const beginning = {
    firing: say(
      `The user will be reminded on ${toIsoDate(date)} by the run at ${at} (${zone}), with ${permit.en}.`,
      `用户将在 ${toIsoDate(date)} 收到提醒：${at}（${zone}）的任务会使用${permit.zh}。`,
    ),
    catch_up: say(
      `The user will be reminded as soon as a process starts today's run, whose time has come, with ${permit.en}.`,
      `今天的任务已到时间，进程一启动就会提醒该用户，使用${permit.zh}。`,
    ),
    under_way: say(
      `Today's run is under way and has not come to this user yet: the user will be reminded, with ${permit.en}.`,
      `今天的任务正在进行，还没轮到该用户；轮到时会提醒，使用${permit.zh}。`,
    ),
  }[coming?.how ?? 'firing']
  const limited = say(
    'The run has a limit (--limit), which may end it before.',
    '任务设有 --limit 上限，可能在此之前结束。',
  )
  const waiting = coming?.how === 'under_way' && facts.run?.reason ? runReason(facts) : undefined
  return join(
    beginning,
    date > facts.date ? sayProvided(told) : undefined,
    limit ? limited : undefined,
    waiting,
  )
}

/** What the reminder will go out with. */
function sayWith({ account, facts, verdict }: Told): Bilingual {
  if (!needsPermit(facts.sentWith.channel))
    return say('no permit, as a service account needs none', '服务号消息，无需凭证')
  const { permit } = verdict.standing ?? {}
  return permit ? permitWithEnd(account, permit) : say('a permit', '一个凭证')
}

/** What a later day depends on. */
function sayProvided({ facts, verdict }: Told): Bilingual {
  if (!needsPermit(facts.sentWith.channel))
    return say(
      'This holds if the user does not sign in, and still follows the account.',
      '前提是用户没有签到，并且仍关注服务号。',
    )
  const spent = verdict.spentBefore ?? 0
  return say(
    `The reminders of the days before will have spent ${spent}; this holds if the user does not sign in and gets no other permit.`,
    `此前几天的提醒会用掉 ${spent} 个凭证；前提是用户没有签到，也没有新凭证。`,
  )
}

function sayReminded({ account, facts, date }: Told): Bilingual {
  const { message, counter } = facts
  if (!message) {
    const last = counter ? toIsoDate(counter.last_date) : toIsoDate(date)
    return say(
      `The user counts as reminded: last_date is ${last}, though no message of ${toIsoDate(date)} is on record (set by hand, by another program, or after a dump was put back).`,
      `该用户视为已提醒：last_date 为 ${last}，但没有 ${toIsoDate(date)} 的消息记录（人工、其他程序或恢复备份后设置）。`,
    )
  }
  const at = clockTime(account, message.settled_at)
  const delivery = message.delivery_status
  return join(
    say(
      `The user was reminded on ${toIsoDate(date)}: WeChat accepted the message at ${at}.`,
      `用户在 ${toIsoDate(date)} 已收到提醒：微信于 ${at} 接受了消息。`,
    ),
    delivery === null ? undefined : say(`WeChat's event says: ${delivery}.`, `微信事件：${delivery}。`),
  )
}

function sayBeingSent({ account, facts, date }: Told): Bilingual {
  const { message } = facts
  const next = message?.next_attempt_at
  if (message?.state === 'retry' && next !== null && next !== undefined) {
    const at = clockTime(account, next)
    return join(
      say(
        `The reminder of ${toIsoDate(date)} waits for another attempt, at ${at} or after; so far there were ${message.attempts}.`,
        `${toIsoDate(date)} 的提醒等待重试，不早于 ${at}；已尝试 ${message.attempts} 次。`,
      ),
      message.errcode === null ? undefined : codeWithMeaning(message.errcode),
    )
  }
  const since = clockTime(account, message?.created_at ?? 0)
  return say(
    `The reminder of ${toIsoDate(date)} is being sent: it was claimed at ${since}. If no process runs, start serve, or run recover.`,
    `${toIsoDate(date)} 的提醒正在发送：${since} 开始处理。如果没有进程在运行，请启动 serve 或执行 recover。`,
  )
}

function sayFailed({ account, facts, date }: Told): Bilingual {
  const { message } = facts
  const at = clockTime(account, message?.settled_at ?? 0)
  return join(
    say(`The reminder of ${toIsoDate(date)} failed at ${at}.`, `${toIsoDate(date)} 的提醒在 ${at} 失败。`),
    why(facts.message),
  )
}

function sayUnknown({ account, facts, date }: Told): Bilingual {
  const at = clockTime(account, facts.message?.settled_at ?? 0)
  return join(
    say(
      `Whether the reminder of ${toIsoDate(date)} arrived is not known since ${at}, and it is not sent again: that could be a second one.`,
      `${toIsoDate(date)} 的提醒自 ${at} 起无法确定是否送达，为避免重复不再发送。`,
    ),
    why(facts.message),
  )
}

function why(message: Told['facts']['message']): Bilingual | undefined {
  if (message?.errcode !== null && message?.errcode !== undefined) {
    const { en, zh } = codeWithMeaning(message.errcode)
    return say(`WeChat answered ${en}`, `微信返回 ${zh}`)
  }
  return message?.errmsg ? say(`Reason: ${message.errmsg}.`, `原因：${message.errmsg}。`) : undefined
}

const NOT_KNOWN: Partial<Record<Because, (told: Told) => Bilingual>> = {
  never_seen: () =>
    say(
      'Nobody has seen this user: no permit, sign-in or binding of this number is on record. Check the number and the account (WX_APP_ID).',
      '没有见过该用户：没有该编号的凭证、签到或绑定记录。请检查编号和账号（WX_APP_ID）。',
    ),
  purged: ({ date }) =>
    say(
      `What happened on ${toIsoDate(date)} is no longer known: rows that old are deleted (RETENTION_DAYS).`,
      `${toIsoDate(date)} 的情况已无法得知：旧记录已按 RETENTION_DAYS 删除。`,
    ),
  before_first_run: ({ date, facts }) => {
    const first = facts.firstRun === undefined ? undefined : toIsoDate(facts.firstRun)
    return say(
      `Nothing is on record of ${toIsoDate(date)}: ${first ? `the first run on record is that of ${first}` : 'no run is on record'}.`,
      `没有 ${toIsoDate(date)} 的记录：${first ? `最早的任务记录是 ${first}` : '还没有任何任务记录'}。`,
    )
  },
}

function sayNotKnown(told: Told): Bilingual {
  const tell = NOT_KNOWN[told.verdict.because ?? 'never_seen']
  return tell ? tell(told) : say('Nothing is on record.', '没有记录。')
}
