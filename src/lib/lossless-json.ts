/** Text, a list, or fields. Numbers and booleans are kept as text, as they were written. */
export type Value = string | Value[] | Fields
export interface Fields {
  readonly [name: string]: Value | undefined
}

/**
 * In valid JSON a quote outside a string begins one, and outside strings there are only brackets, commas,
 * colons, true, false, null and numbers.
 */
const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g

/**
 * Reads JSON and keeps the digits of every number: JSON.parse changes a 19-digit id, and its reviver gets the
 * source text only from Node 21 on. null becomes ''. Throws SyntaxError for text that is not JSON or is
 * nested deeper than `maxDepth`.
 */
export function parseLossless(text: string, maxDepth: number): Value {
  // Parsed unchanged first: quoting would turn some broken JSON, such as {1:2}, into valid JSON.
  JSON.parse(text)
  const quoted = text.replace(STRING_OR_NUMBER, (token) => (token.startsWith('"') ? token : `"${token}"`))
  return toValue(JSON.parse(quoted), maxDepth)
}

/** Copies onto objects without a prototype, so that a field called __proto__ stays a field. */
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

/**
 * A number of 16 digits or more that follows the name. Strings match as a whole, so that similar text inside
 * a string does not match.
 */
const LARGE_USER_ID = /("user_id"\s*:\s*)(-?\d[\d.eE+-]*)|"[^"\\]*(?:\\.[^"\\]*)*"/g
const MAY_HAVE_LARGE_USER_ID = /"user_id"\s*:\s*[1-9]\d{15}/

/**
 * JSON in which each large numeric `user_id` becomes a string of the same digits: JSON.parse would turn it
 * into another user's. Everything else stays as it is, broken JSON included.
 */
export function quoteLargeUserIds(text: string): string {
  if (!MAY_HAVE_LARGE_USER_ID.test(text)) return text
  return text.replace(LARGE_USER_ID, (token: string, name?: string, number = '') =>
    name !== undefined && /^[1-9]\d{15,}$/.test(number) ? `${name}"${number}"` : token,
  )
}
