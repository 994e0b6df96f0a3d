import { isRecord } from './call.js'

/**
 * What a value may be, by the letters its key begins with (official page of the subscribe message; service accounts
 * use the same). Keys of the old templates (keyword1, first, remark) have no rule.
 */
const VALUE_RULES: Record<string, RegExp> = {
  thing: /^.{1,20}$/su,
  number: /^[+-]?\d{1,32}(\.\d+)?$/,
  letter: /^[A-Za-z]{1,32}$/,
  symbol: /^[^\p{L}\p{N}\p{C}]{1,5}$/u,
  character_string: /^[\x20-\x7e]{1,32}$/,
  time: /\d{1,2}:\d{2}/,
  date: /\d{1,4}[-/.年]\d{1,2}/,
  amount: /^[^\d\s]?\d{1,10}(\.\d+)?元?$/u,
  phone_number: /^[\d\p{P}\p{S} ]{1,17}$/u,
  car_number: /^(?=.{1,8}$)\p{Script=Han}?[A-Za-z0-9]+\p{Script=Han}?$/u,
  name: /^(\D{1,10}|[^\p{Script=Han}\d]{1,20})$/u,
  phrase: /^\p{Script=Han}{1,5}$/u,
}

/** The field that keeps a message from being sent, in the words of 47003, or undefined if all are right. */
export function dataProblem(keys: readonly string[], data: unknown): string | undefined {
  const fields = isRecord(data) ? data : {}
  for (const key of keys) {
    const field = fields[key]
    const value = isRecord(field) ? field.value : undefined
    const text = typeof value === 'number' ? String(value) : value
    if (typeof text !== 'string' || text === '') return `data.${key}.value is empty`
    const rule = VALUE_RULES[key.replace(/\d+$/, '')]
    if (rule && !rule.test(text)) return `data.${key}.value invalid`
  }
  return undefined
}
