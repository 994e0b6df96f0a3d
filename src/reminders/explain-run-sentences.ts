import type { Bilingual } from '../lib/bilingual.js'
import { toIsoDate } from '../lib/business-date.js'
import { adviseToday } from './explain-advice.js'
import { scheduleOf } from './explain-schedule.js'
import type { Because } from './explain-verdict.js'
import { clockTime, codeWithMeaning, join, runReason, say, type Told } from './explain-words.js'

/** Why a user who was due got nothing: what became of the run, and what to do. */
export function sentenceOfRun(told: Told): Bilingual {
  return join(whatHappened(told), adviseToday(told))
}

function whatHappened(told: Told): Bilingual {
  const { facts, verdict } = told
  switch (verdict.outcome) {
    case 'run_halted':
      return join(ended(told, 'halted', '被中止'), givenBack(told), runReason(facts))
    case 'run_paused':
      return join(ended(told, 'paused', '已暂停'), givenBack(told), runReason(facts))
    case 'window_closed':
      return join(givenBack(told) ?? windowClosed(told), runReason(facts))
    case 'run_missed':
      return missed(told)
    default:
      return notReached(told)
  }
}

function ended({ account, facts, date }: Told, en: string, zh: string): Bilingual {
  const at = clockTime(account, facts.run?.finished_at ?? facts.run?.started_at ?? 0)
  return say(
    `The user was due on ${toIsoDate(date)}, but the run ${en} at ${at} before the user was reminded.`,
    `用户在 ${toIsoDate(date)} 应提醒，但任务在 ${at} ${zh}，未能提醒。`,
  )
}

function windowClosed({ account, facts, date }: Told): Bilingual {
  const closesAt = clockTime(account, scheduleOf(account, date).closesAt)
  const started = clockTime(account, facts.run?.started_at ?? 0)
  return say(
    `The user was due on ${toIsoDate(date)}, but the run, started at ${started}, had not come to the user when its sending window closed at ${closesAt} (SEND_UNTIL).`,
    `用户在 ${toIsoDate(date)} 应提醒，但 ${started} 开始的任务到发送时段 ${closesAt} 结束（SEND_UNTIL）时还没轮到该用户。`,
  )
}

function missed({ account, facts, verdict, date }: Told): Bilingual {
  const { firings, closesAt } = scheduleOf(account, date)
  if (verdict.because === 'late_firing')
    return say(
      `The run of ${toIsoDate(date)} cannot send: its time (REMIND_CRON) comes after its sending window closes at ${clockTime(account, closesAt)} (SEND_UNTIL).`,
      `${toIsoDate(date)} 的任务无法发送：REMIND_CRON 的时间晚于发送时段结束 ${clockTime(account, closesAt)}（SEND_UNTIL）。`,
    )
  const at = clockTime(account, firings[0] ?? closesAt)
  return join(
    say(
      `The user was due on ${toIsoDate(date)}, but no process ran between ${at} and the end of the sending window.`,
      `用户在 ${toIsoDate(date)} 应提醒，但从 ${at} 到发送时段结束没有进程在运行。`,
    ),
    runReason(facts),
  )
}

const NOT_REACHED: Partial<Record<Because, (told: Told) => Bilingual>> = {
  no_firing: ({ date }) =>
    say(
      `There is no run on ${toIsoDate(date)}: REMIND_CRON does not fire on that day.`,
      `${toIsoDate(date)} 没有任务：REMIND_CRON 当天不触发。`,
    ),
  no_template: () =>
    say(
      'No run starts, because no template is set: REMINDER_TEMPLATE_ID.',
      '没有设置模板（REMINDER_TEMPLATE_ID），任务不会启动。',
    ),
  limited: ({ date }) =>
    say(
      `The user was due on ${toIsoDate(date)}, but the run ended at its limit (--limit) before it came to the user.`,
      `用户在 ${toIsoDate(date)} 应提醒，但任务达到 --limit 上限后结束，还没轮到该用户。`,
    ),
  given_back: (told) => givenBack(told) ?? passedOver(told),
}

function notReached(told: Told): Bilingual {
  return (NOT_REACHED[told.verdict.because ?? 'passed_over'] ?? passedOver)(told)
}

function passedOver({ date }: Told): Bilingual {
  return say(
    `The user was due on ${toIsoDate(date)}, and the run left no message. What kept it from the user is not on record: a row that was locked, or one that was changed by hand.`,
    `用户在 ${toIsoDate(date)} 应提醒，但任务没有留下消息。原因没有记录：可能是行被锁定，或被人工修改过。`,
  )
}

function givenBack({ account, facts, verdict }: Told): Bilingual | undefined {
  const { givenBack: back } = facts
  if (verdict.because !== 'given_back' || !back) return undefined
  const { en, zh } =
    back.errcode === null ? say(`${back.errmsg}.`, `${back.errmsg}。`) : codeWithMeaning(back.errcode)
  const at = clockTime(account, back.at)
  return say(
    `The user's message was claimed, not delivered, and given back at ${at}: ${en}`,
    `该用户的消息已占用，未送达，于 ${at} 退还：${zh}`,
  )
}
