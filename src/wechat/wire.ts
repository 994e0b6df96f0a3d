const ESCAPE = /\\(?:u[0-9a-f]{4}|.)/g

/**
 * JSON in raw UTF-8. WeChat answers 40033 to \uXXXX escapes, and JSON.stringify writes them for control
 * characters and for halves of a surrogate pair (a nickname cut in the middle of an emoji). Control
 * characters are left out, and halves become U+FFFD.
 */
export function toWire(value: object): string {
  const text = JSON.stringify(value)
  if (!text.includes('\\u')) return text
  return text.replace(ESCAPE, (sequence) => {
    if (sequence.length === 2) return sequence
    return sequence.startsWith('\\ud') ? '\ufffd' : ''
  })
}
