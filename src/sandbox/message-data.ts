import { isRecord } from './call.js'
import type { Template } from './templates.js'
import { isValidValue } from './value-rules.js'

/**
 * The field that keeps a message from being sent, in the words of 47003, or undefined if all are right. `data` that is
 * not an object, such as a JSON string, has no field at all.
 */
export function dataProblem(
  keys: readonly string[],
  data: unknown,
  enums: Template['enums'] = {},
): string | undefined {
  const fields = isRecord(data) ? data : {}
  for (const key of keys) {
    const field = fields[key]
    const value = isRecord(field) ? field.value : undefined
    const text = typeof value === 'number' ? String(value) : value
    if (typeof text !== 'string' || text.trim() === '') return `data.${key}.value is empty`
    if (!isValidValue(key, text, enums[key])) return `data.${key}.value invalid`
  }
  return undefined
}
