const MONTH = '(?:0?[1-9]|1[0-2])'
const DAY_OF_MONTH = '(?:0?[1-9]|[12]\\d|3[01])'
const NUMERIC_DATE = `\\d{4}([-/.])${MONTH}(?:\\1${DAY_OF_MONTH})?|${MONTH}-${DAY_OF_MONTH}`
const CHINESE_DATE = `\\d{4}年${MONTH}月(?:${DAY_OF_MONTH}日)?|${MONTH}月${DAY_OF_MONTH}日`
const DATE = new RegExp(`^(?:${NUMERIC_DATE}|${CHINESE_DATE})$`)
const TIME = /^(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?$/

type Rule = (value: string) => boolean

/**
 * What a value may be, by the letters its key begins with (official page of the subscribe message; service accounts
 * use the same, and `const`). Keys of the old templates (keyword1, first, remark) have no rule. Characters are code
 * points: whether WeChat counts an emoji as one is not documented.
 */
const RULES: Record<string, Rule> = {
  thing: matches(/^\P{Cc}{1,20}$/u),
  const: matches(/^\P{Cc}{1,20}$/u),
  number: (value) => /^\d+(\.\d+)?$/.test(value) && value.replace('.', '').length <= 32,
  letter: matches(/^[A-Za-z]{1,32}$/),
  symbol: matches(/^[\p{P}\p{S}]{1,5}$/u),
  character_string: matches(/^[\x20-\x7e]{1,32}$/),
  time: isSpanOf((moment) => {
    const [first = '', second] = moment.split(' ')
    return second === undefined ? TIME.test(first) : DATE.test(first) && TIME.test(second)
  }),
  date: isSpanOf((moment) => {
    const [first = '', second] = moment.split(' ')
    return DATE.test(first) && (second === undefined || TIME.test(second))
  }),
  amount: matches(/^\p{Sc}?\d{1,10}(\.\d+)?元?$/u),
  phone_number: matches(/^(?=.*\d)[\d\p{P}\p{S}]{1,17}$/u),
  car_number: matches(/^(?=.{1,8}$)\p{Script=Han}?[A-Za-z0-9]+\p{Script=Han}?$/u),
  name: (value) =>
    /^[\p{L}\p{M}\p{P}\p{S} ]+$/u.test(value) &&
    [...value].length <= (/\p{Script=Han}/u.test(value) ? 10 : 20),
  phrase: matches(/^\p{Script=Han}{1,5}$/u),
}

/** Whether a value is right for its key. `allowed` are the values of the template's enumeration, if it has one. */
export function isValidValue(key: string, value: string, allowed: readonly string[] | undefined): boolean {
  if (allowed) return allowed.includes(value)
  return RULES[key.replace(/\d+$/, '')]?.(value) ?? true
}

function matches(pattern: RegExp): Rule {
  return (value) => pattern.test(value)
}

/** One moment, or two with a ~ between them. */
function isSpanOf(isMoment: Rule): Rule {
  return (value) => {
    const moments = value.split('~').map((moment) => moment.trim())
    return moments.length <= 2 && moments.every(isMoment)
  }
}
