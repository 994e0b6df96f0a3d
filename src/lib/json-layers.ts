/** Text with the place in the source where each of its characters begins, and one more entry for the end. */
export interface Layer {
  text: string
  at(index: number): number
}

const ESCAPED: Record<string, string> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}

/**
 * The text as it stands, then without its JSON escapes, then without the escapes inside those, and so on:
 * what a log line says, then what a JSON text inside one of its strings says. Each layer takes one pass,
 * without a regular expression.
 */
export function* jsonLayers(text: string, depth: number): Generator<Layer> {
  let layer: Layer = { text, at: (index) => index }
  yield layer
  for (let level = 0; level < depth && layer.text.includes('\\'); level++) {
    layer = unescapeOnce(layer)
    yield layer
  }
}

function unescapeOnce({ text, at }: Layer): Layer {
  const starts = new Uint32Array(text.length + 1)
  const pieces: string[] = []
  let length = 0
  const take = (piece: string, from: number) => {
    pieces.push(piece)
    for (let index = 0; index < piece.length; index++) starts[length++] = at(from + index)
  }
  let from = 0
  while (from < text.length) {
    const found = text.indexOf('\\', from)
    const plainEnd = found === -1 ? text.length : found
    take(text.slice(from, plainEnd), from)
    from = plainEnd
    if (found === -1) break
    const [character, width] = readEscape(text, found)
    take(character, found)
    from += width
  }
  starts[length] = at(text.length)
  return { text: pieces.join(''), at: (index) => starts[index] ?? 0 }
}

/**
 * The character that an escape stands for, and the length of the escape. A backslash that begins no valid
 * escape stands for itself.
 */
function readEscape(text: string, at: number): [string, number] {
  const next = text[at + 1] ?? ''
  if (next === 'u') {
    const digits = text.slice(at + 2, at + 6)
    if (/^[\da-f]{4}$/i.test(digits)) return [String.fromCharCode(Number.parseInt(digits, 16)), 6]
  }
  const character = ESCAPED[next]
  return character === undefined ? ['\\', 1] : [character, 2]
}
