import type { AlternativeText, ReminderData } from '../account.js'
import { messageOf } from '../lib/message-of.js'
import { checkValue } from '../wechat/template-values.js'
import { alternativesOf, fillDay, fillStreak, MAX_STREAK, PLACEHOLDER, PLACEHOLDERS } from './text.js'

const FORM = 'a JSON object such as {"keyword1":"日领积分","keyword4":"{date}"}'
const ALTERNATIVES =
  'alternatives such as [{"min_streak":2,"text":"已连续签到{streak}天"},{"text":"今天开始签到吧"}]'
const KEY = /^[A-Za-z]\w{0,63}$/
/** A week, for a text may name the weekday. A day is written with ten characters, whichever it is. */
const SAMPLE_WEEK = [20_261_116, 20_261_117, 20_261_118, 20_261_119, 20_261_120, 20_261_121, 20_261_122]
/** The first and the last streak of each length: what a text is checked with, besides the ends of its own range. */
const SAMPLE_STREAKS = [0, 1, 9, 10, 99, 100, 999, 1_000, 9_999, 10_000, MAX_STREAK]

/**
 * Reads REMINDER_DATA: a JSON object with at least one value, one per key of the template. Throws with all reasons if
 * it is anything else.
 */
export function parseReminderData(json: string): ReminderData {
  return readReminderData(JSON.parse(json))
}

/**
 * The same for a value that is parsed already. Every text is checked with each weekday and with each length of the
 * streaks that it is for: what it says can neither be empty nor break the rule of its key.
 */
export function readReminderData(data: unknown): ReminderData {
  if (typeof data !== 'object' || data === null || Array.isArray(data) || Object.keys(data).length === 0)
    throw new Error(`must be ${FORM}`)
  const faults: string[] = []
  const read: ReminderData = {}
  for (const [key, value] of Object.entries(data)) {
    try {
      if (!KEY.test(key)) throw new Error('is not a key of a template, such as thing1')
      read[key] = typeof value === 'string' ? value : readAlternatives(value)
      checkTexts(key, read[key])
    } catch (error) {
      faults.push(`"${key}" ${messageOf(error)}`)
    }
  }
  if (faults.length > 0) throw new Error(faults.join('; '))
  return read
}

function readAlternatives(value: unknown): AlternativeText[] {
  if (!Array.isArray(value) || value.length === 0)
    throw new Error(`must be a non-empty text, or ${ALTERNATIVES}`)
  return value.map((one, i) => readAlternative(one, i === value.length - 1))
}

function readAlternative(value: unknown, isLast: boolean): AlternativeText {
  if (typeof value !== 'object' || value === null) throw new Error(`must have ${ALTERNATIVES}`)
  const { text, min_streak: from, ...others }: Record<string, unknown> = { ...value }
  const [other] = Object.keys(others)
  if (other !== undefined) throw new Error(`has "${other}" in an alternative; known are min_streak, text`)
  if (typeof text !== 'string') throw new Error('has an alternative without a text')
  if (from === undefined) {
    if (!isLast) throw new Error(`says "${text}" to everybody, so what follows is never said: put it last`)
    return { text }
  }
  if (isLast) throw new Error('needs a last alternative without min_streak, for whom no other fits')
  if (typeof from !== 'number' || !Number.isInteger(from) || from < 1 || from > MAX_STREAK)
    throw new Error(`has a min_streak that is not a whole number from 1 to ${MAX_STREAK}`)
  return { min_streak: from, text }
}

function checkTexts(key: string, value: string | AlternativeText[]): void {
  let below = MAX_STREAK + 1
  for (const { min_streak: from = 0, text } of alternativesOf(value)) {
    if (from >= below)
      throw new Error(
        `never says "${text}": an alternative before it fits the same users. Put the longest streak first`,
      )
    for (const [, name = ''] of text.matchAll(PLACEHOLDER))
      if (!PLACEHOLDERS.includes(name))
        throw new Error(`has {${name}}; known are {${PLACEHOLDERS.join('}, {')}}`)
    checkText(key, text, from, below - 1)
    below = from
  }
}

/** `from` and `to`: the streaks of the users who read the text. */
function checkText(key: string, text: string, from: number, to: number): void {
  const streaks = [from, ...SAMPLE_STREAKS.filter((streak) => streak > from && streak < to), to]
  for (const date of SAMPLE_WEEK) {
    const ofDay = fillDay(text, date)
    for (const streak of streaks) {
      const said = fillStreak(ofDay, streak)
      const fault = checkValue(key, said)
      if (!fault) continue
      if (text === '') throw new Error('must be a non-empty text')
      // As JSON: a text may have line breaks.
      const as =
        said === text ? JSON.stringify(text) : `${JSON.stringify(text)}, said as ${JSON.stringify(said)},`
      throw new Error(`${as} ${fault.en} | ${fault.zh}`)
    }
  }
}
