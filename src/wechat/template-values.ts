import type { Bilingual } from '../lib/bilingual.js'

/**
 * What WeChat takes as the value of a template's key. A key is its type and a number (`thing1`). The rules are those of
 * the page on subscribe messages (发送订阅消息, 参数值内容限制); service accounts have the same. A value that breaks one is
 * answered 47003, so the rules are as narrow as the page.
 */
interface ValueRule {
  takes: Bilingual
  accepts: RegExp
  /** How a value that is too long is shortened. Without it never: a number that lost its end is another number. */
  shortens?: Shortening
}

interface Shortening {
  /** Most characters, by code point. */
  to(text: string): number
  /** Stands for what was cut off, and counts among the characters. */
  mark: string
}

const HAN = /\p{Script=Han}/u

const month = '(0?[1-9]|1[0-2])'
const day = '(0?[1-9]|[12]\\d|3[01])'
const clock = '([01]?\\d|2[0-3]):[0-5]\\d(:[0-5]\\d)?'
const date = `(\\d{4}(-${month}(-${day})?|/${month}(/${day})?|\\.${month}(\\.${day})?|年${month}月(${day}日)?)|${month}-${day})`
/** One moment, or two with ~ between them. */
const span = (moment: string): RegExp => new RegExp(`^${moment}( ?~ ?${moment})?$`)
const cutAt = (most: number, mark = ''): Shortening => ({ to: () => most, mark })

const RULES: Record<string, ValueRule> = {
  thing: {
    takes: { en: 'at most 20 characters', zh: '最多 20 个字符' },
    accepts: /^.{1,20}$/u,
    shortens: cutAt(20, '…'),
  },
  // One of a list of the template's, so never cut.
  const: {
    takes: { en: 'at most 20 characters', zh: '最多 20 个字符' },
    accepts: /^.{1,20}$/u,
  },
  number: {
    takes: { en: 'at most 32 digits, with or without decimals', zh: '最多 32 位数字，可带小数' },
    accepts: /^(?=(\.?\d){1,32}$)\d+(\.\d+)?$/,
  },
  letter: {
    takes: { en: 'at most 32 letters', zh: '最多 32 个字母' },
    accepts: /^[A-Za-z]{1,32}$/,
    shortens: cutAt(32),
  },
  symbol: {
    takes: { en: 'at most 5 symbols', zh: '最多 5 个符号' },
    accepts: /^[\p{P}\p{S}]{1,5}$/u,
    shortens: cutAt(5),
  },
  character_string: {
    takes: {
      en: 'at most 32 digits, letters and symbols, no Chinese',
      zh: '最多 32 个数字、字母或符号，不能有汉字',
    },
    accepts: /^[\x20-\x7e]{1,32}$/,
    shortens: cutAt(32, '...'),
  },
  time: {
    takes: {
      en: 'a 24-hour time such as 15:01, with or without its day, or two with ~ between them',
      zh: '24 小时制时间，如 15:01，可带年月日；时间段用 ~ 连接',
    },
    accepts: span(`(${date} )?${clock}`),
  },
  date: {
    takes: {
      en: 'a day such as 2026.11.21 or 2026年11月21日, with or without a time, or two with ~ between them',
      zh: '年月日，如 2026.11.21 或 2026年11月21日，可带时间；时间段用 ~ 连接',
    },
    accepts: span(`${date}( ${clock})?`),
  },
  amount: {
    takes: {
      en: 'at most 10 digits, with or without a currency sign before, decimals, and 元 after',
      zh: '最多 10 位数字，可带币种符号、小数，结尾可带“元”',
    },
    accepts: /^\p{Sc}?\d{1,10}(\.\d{1,10})?元?$/u,
  },
  phone_number: {
    takes: { en: 'at most 17 digits and symbols', zh: '最多 17 个数字或符号' },
    accepts: /^(?=.*\d)[\d\p{P}\p{S}]{1,17}$/u,
  },
  car_number: {
    takes: {
      en: 'at most 8 letters and digits; the first and the last may be Chinese',
      zh: '最多 8 位字母或数字，首位和末位可为汉字',
    },
    accepts: /^(?=.{1,8}$)\p{Script=Han}?[A-Za-z0-9]+\p{Script=Han}?$/u,
  },
  name: {
    takes: {
      en: 'at most 10 characters with Chinese among them, else 20 letters or symbols; no digits',
      zh: '含汉字时最多 10 个字，否则最多 20 个字母或符号；不能有数字',
    },
    accepts: /^(?=.{1,10}$|\P{Script=Han}{1,20}$)[\p{L}\p{M}\p{P}\p{S} ]+$/u,
    shortens: { to: (text) => (HAN.test(text) ? 10 : 20), mark: '' },
  },
  phrase: {
    takes: { en: 'at most 5 Chinese characters, nothing else', zh: '最多 5 个汉字，不能有其他字符' },
    accepts: /^\p{Script=Han}{1,5}$/u,
    shortens: cutAt(5),
  },
}

/** Keys of the old templates: no rule of their own, and these two are paragraphs. */
const PARAGRAPHS = ['first', 'remark']
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}]/u
const HALF_A_CHARACTER = /\p{Surrogate}/u
const VISIBLE = /[^\s\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}]/u

const typeOf = (key: string): string => key.replace(/\d+$/, '')

function ruleOf(key: string): ValueRule | undefined {
  const type = typeOf(key)
  return Object.hasOwn(RULES, type) ? RULES[type] : undefined
}

/**
 * Why WeChat would refuse this value of a template's key, or undefined if it would not. A key of an old template
 * (`keyword1`), or of a type that is not known here (`enum1` has a list of its own), takes any text that
 * can be seen and has no control characters.
 */
export function checkValue(key: string, text: string): Bilingual | undefined {
  if (!VISIBLE.test(text)) return { en: 'must not be empty', zh: '不能为空' }
  const isParagraph = PARAGRAPHS.includes(typeOf(key))
  if (CONTROL.test(isParagraph ? text.replaceAll('\n', '') : text))
    return { en: 'must not have line breaks or control characters', zh: '不能有换行或控制字符' }
  if (HALF_A_CHARACTER.test(text))
    return { en: 'has half an emoji: it was cut in the middle', zh: '含有被截断的表情符号' }
  const rule = ruleOf(key)
  if (!rule || rule.accepts.test(text)) return undefined
  const length = [...text].length
  return {
    en: `must be ${rule.takes.en} (it has ${length} ${length === 1 ? 'character' : 'characters'})`,
    zh: `须为：${rule.takes.zh}（现有 ${length} 个字符）`,
  }
}

/**
 * The value as it fits its key: one that is too long is cut, at whole characters, to what the type allows. A `thing`
 * then ends in `…` and a `character_string` in `...`; a name, phrase, letter or symbol just ends. Numbers, amounts, times
 * and the like are never cut. Whether the rest of the rule holds, `checkValue` tells; what it passes is not changed here.
 */
export function fitValue(key: string, text: string): string {
  const shortens = ruleOf(key)?.shortens
  if (!shortens) return text
  const most = shortens.to(text)
  // A character takes one or two units of a string.
  if (text.length <= most || (text.length <= 2 * most && [...text].length <= most)) return text
  return cut(text, most - shortens.mark.length).trimEnd() + shortens.mark
}

const graphemes = new Intl.Segmenter('zh', { granularity: 'grapheme' })

/** The longest beginning of at most so many code points that splits no grapheme, unless the first is longer than that. */
function cut(text: string, most: number): string {
  let length = 0
  let end = 0
  for (const { segment, index } of graphemes.segment(text)) {
    length += [...segment].length
    if (length > most) break
    end = index + segment.length
  }
  return end > 0 ? text.slice(0, end) : [...text].slice(0, most).join('')
}
