import type { AnswerRecord } from './judged.js'

/**
 * Why a message has an ending and no code of WeChat, as its errmsg begins. `unreachable` and `ambiguous` are attempts
 * without an answer; the others were not attempted, or not to the end.
 */
const BEGINNINGS = {
  unreachable: 'unreachable:',
  ambiguous: 'ambiguous:',
  not_sent: 'not sent',
  interrupted: 'its attempt broke off',
  restored: 'restored:',
}

export type Cause = keyof typeof BEGINNINGS | 'other'

/** The cause of an answer without a code; empty if it has one, or was accepted. */
export function causeOf({ errcode, errmsg }: Pick<AnswerRecord, 'errcode' | 'errmsg'>): Cause | '' {
  if (errcode !== null || errmsg === null) return ''
  for (const [cause, beginning] of Object.entries(BEGINNINGS))
    if (errmsg.startsWith(beginning)) return cause as Cause
  return 'other'
}

const alike = (column: string, to: (cause: string, beginning: string) => string): string =>
  Object.entries(BEGINNINGS)
    .map(([cause, beginning]) => `WHEN ${column} LIKE '${beginning}%' THEN '${to(cause, beginning)}'`)
    .join(' ')

/** The same in SQL, for a row `m` of wx_push_message. */
export const CAUSE_OF_MESSAGE = `CASE WHEN m.errcode IS NOT NULL OR m.errmsg IS NULL THEN ''
  ${alike('m.errmsg', (cause) => cause)} ELSE 'other' END`

/** SQL of an errmsg with the same cause and nothing else: no word of WeChat's, and none that names a person. */
export const ERASED_ERRMSG = `CASE WHEN errcode IS NOT NULL OR errmsg IS NULL THEN NULL
  ${alike('errmsg', (_, beginning) => beginning)} ELSE 'erased' END`
