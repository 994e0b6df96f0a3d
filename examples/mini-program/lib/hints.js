/**
 * Lines for the developer, in the console of WeChat DevTools or of vConsole. Each text appears once: a tap
 * repeated a hundred times does not flood the console.
 *
 * @param {{ warn(text: string): void }} output
 * @returns {(text: string) => void}
 */
function createHints(output) {
  /** @type {Set<string>} */
  const said = new Set()
  return (text) => {
    if (said.has(text)) return
    said.add(text)
    output.warn(`[reminder] ${text}`)
  }
}

module.exports = { createHints }
