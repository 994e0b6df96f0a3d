/** Text, a list, or fields. Numbers and booleans are text, as they were written. */
export type Value = string | Value[] | Fields
export interface Fields {
  readonly [name: string]: Value | undefined
}

/**
 * In valid JSON a quote outside of a string begins one, and what is left outside of strings are brackets, commas,
 * colons, true, false, null and numbers.
 */
const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g

/**
 * Reads JSON with every number kept as its digits: JSON.parse makes another number of a 19-digit id, and its reviver
 * learns the source text only from Node 21 on. null becomes ''. Throws SyntaxError for what is no JSON, or is nested
 * deeper than `maxDepth`.
 */
export function parseLossless(text: string, maxDepth: number): Value {
  // First as it is: quoting would turn some broken JSON, such as {1:2}, into whole.
  JSON.parse(text)
  const quoted = text.replace(STRING_OR_NUMBER, (token) => (token.startsWith('"') ? token : `"${token}"`))
  return toValue(JSON.parse(quoted), maxDepth)
}

/** Onto objects without a prototype, so that a field called __proto__ is a field. */
export function toValue(parsed: unknown, maxDepth: number): Value {
  if (parsed === null) return ''
  if (typeof parsed !== 'object') return String(parsed)
  if (maxDepth === 0) throw new SyntaxError('nested too deeply')
  if (Array.isArray(parsed)) return parsed.map((item) => toValue(item, maxDepth - 1))
  const fields: Record<string, Value> = Object.create(null)
  for (const [name, value] of Object.entries(parsed)) fields[name] = toValue(value, maxDepth - 1)
  return fields
}

export function isFields(value: Value | undefined): value is Fields {
  return typeof value === 'object' && !Array.isArray(value)
}

/** A number of 16 digits or more that follows the name. Strings match as a whole, so what looks like this in one does not. */
const LARGE_USER_ID = /("user_id"\s*:\s*)(-?\d[\d.eE+-]*)|"[^"\\]*(?:\\.[^"\\]*)*"/g
const MAY_HAVE_LARGE_USER_ID = /"user_id"\s*:\s*[1-9]\d{15}/

/**
 * JSON in which each large `user_id` that stands as a number is a string of the same digits: JSON.parse would make it
 * another user's. All else stays as it is, broken JSON included.
 */
export function quoteLargeUserIds(text: string): string {
  if (!MAY_HAVE_LARGE_USER_ID.test(text)) return text
  return text.replace(LARGE_USER_ID, (token: string, name?: string, number = '') =>
    name !== undefined && /^[1-9]\d{15,}$/.test(number) ? `${name}"${number}"` : token,
  )
}
