/** What a configuration file that people write by hand may go wrong in. The message holds nothing of the text but names. */
export class JsonFault extends Error {
  constructor(
    readonly line: number,
    readonly column: number,
    reason: string,
  ) {
    super(`line ${line}, column ${column}: ${reason}`)
    this.name = 'JsonFault'
  }
}

const SPACE = /[ \t\r\n]*/y
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON allows none of them in a text.
const TEXT = /"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const WORD = /true|false|null/y
const WORDS: Record<string, unknown> = { true: true, false: false, null: null }

const MAX_DEPTH = 32

/**
 * Reads JSON more strictly than JSON.parse, which keeps the last of two members of one name, quotes the text around a
 * fault (a secret, perhaps), and often does not say on which line it is. Objects have no prototype. Throws JsonFault.
 */
export function parseStrictJson(text: string): unknown {
  let at = 0

  function fail(reason: string, place = at): never {
    const before = text.slice(0, place).split('\n')
    throw new JsonFault(before.length, (before.at(-1)?.length ?? 0) + 1, reason)
  }

  function take(token: RegExp): string | undefined {
    token.lastIndex = at
    const [found] = token.exec(text) ?? []
    if (found !== undefined) at += found.length
    return found
  }

  /** Takes one of these signs, with the blanks around it. */
  function sign(...signs: string[]): string {
    take(SPACE)
    const found = text[at] ?? ''
    if (!signs.includes(found)) fail(`expected ${signs.join(' or ')}${found === '' ? ', not the end' : ''}`)
    at++
    take(SPACE)
    return found
  }

  /** Whether the list or object that has just begun ends here. */
  function endsWith(bracket: string): boolean {
    if (text[at] !== bracket) return false
    at++
    return true
  }

  function readObject(depth: number): Record<string, unknown> {
    const object: Record<string, unknown> = Object.create(null)
    sign('{')
    if (endsWith('}')) return object
    do {
      const start = at
      const token = take(TEXT)
      if (token === undefined) fail('expected a name in double quotes')
      const name: string = JSON.parse(token)
      if (name in object) fail(`"${name}" stands here a second time`, start)
      sign(':')
      object[name] = readValue(depth)
    } while (sign(',', '}') === ',')
    return object
  }

  function readList(depth: number): unknown[] {
    const list: unknown[] = []
    sign('[')
    if (endsWith(']')) return list
    do list.push(readValue(depth))
    while (sign(',', ']') === ',')
    return list
  }

  function readValue(depth: number): unknown {
    if (depth > MAX_DEPTH) fail('is nested too deeply')
    if (text[at] === '{') return readObject(depth + 1)
    if (text[at] === '[') return readList(depth + 1)
    const start = at
    const quoted = take(TEXT)
    if (quoted !== undefined) return JSON.parse(quoted)
    const number = take(NUMBER)
    if (number !== undefined) {
      if (!Number.isFinite(Number(number))) fail('is too large a number', start)
      return Number(number)
    }
    const word = take(WORD)
    if (word === undefined)
      fail(text[at] === '"' ? 'a text does not end, or has a bad sign' : 'expected a value')
    return WORDS[word]
  }

  take(SPACE)
  const value = readValue(0)
  take(SPACE)
  if (at < text.length) fail('expected the end')
  return value
}
