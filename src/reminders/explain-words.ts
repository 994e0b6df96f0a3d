import { DateTime } from 'luxon'
import type { Account } from '../account.js'
import { NEVER_EXPIRES } from '../books/index.js'
import type { Bilingual } from '../lib/bilingual.js'
import type { BusinessDate } from '../lib/business-date.js'
import { errcodeOf } from '../wechat/errcodes.js'
import type { Facts, PermitFact, StopFact } from './explain-facts.js'
import type { Verdict } from './explain-verdict.js'

/** What sentences and checks are made of. */
export interface Told {
  account: Account
  facts: Facts
  verdict: Verdict
  /** The day asked for; later than facts.date if it is still to come. */
  date: BusinessDate
  now: number
}

export const say = (en: string, zh: string): Bilingual => ({ en, zh })

/** Sentences one after the other. */
export function join(...parts: (Bilingual | undefined)[]): Bilingual {
  const said = parts.filter((part) => part !== undefined)
  return say(said.map(({ en }) => en).join(' '), said.map(({ zh }) => zh).join(''))
}

/** A moment by the account's clock: 2026-11-20 10:00:03. */
export function clockTime({ timezone }: Account, ms: number): string {
  return DateTime.fromMillis(ms, { zone: timezone }).toFormat('yyyy-MM-dd HH:mm:ss')
}

export function permitName({ source }: Pick<PermitFact, 'source'>): Bilingual {
  switch (source) {
    case 'form':
      return say('form_id', 'form_id')
    case 'pay':
      return say('use of a prepay_id', 'prepay_id 次数')
    case 'subscribe':
      return say('subscription', '订阅')
  }
}

/** A permit with the end of its validity. */
export function permitWithEnd(account: Account, permit: PermitFact): Bilingual {
  const { en, zh } = permitName(permit)
  if (permit.expire >= NEVER_EXPIRES) return say(`a ${en} that does not run out`, `一个不过期的${zh}`)
  const end = clockTime(account, permit.expire)
  return say(`a ${en} good until ${end}`, `一个有效期至 ${end} 的 ${zh}`)
}

/** WeChat's code with its name and meaning. */
export function codeWithMeaning(errcode: number): Bilingual {
  const { name, meaning, meaning_zh } = errcodeOf(errcode)
  return say(`${errcode} ${name}: ${meaning}`, `${errcode} ${name}：${meaning_zh}。`)
}

/** Who or what recorded a stop. */
export function stopCause({ errcode }: StopFact): Bilingual {
  if (errcode === null) return say('by the user’s own wish, or by hand', '用户要求或人工设置')
  const { name, meaning_zh } = errcodeOf(errcode)
  return say(`WeChat answered ${errcode} ${name}`, `微信返回 ${errcode} ${name}：${meaning_zh}`)
}

/** The reason of a run, as it was recorded. */
export function runReason({ run }: Facts): Bilingual | undefined {
  return run?.reason ? say(withStop(run.reason.en, '.'), withStop(run.reason.zh, '。')) : undefined
}

function withStop(text: string, stop: string): string {
  return /[.!?。]$/.test(text) ? text : `${text}${stop}`
}
