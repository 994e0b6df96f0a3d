/** How wide texts are in a terminal: Chinese, Japanese, Korean, full-width forms and emoji take two columns. */

const graphemes = new Intl.Segmenter('zh', { granularity: 'grapheme' })
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\ufe0f/u
const NO_WIDTH = /^[\p{M}\p{Cc}\p{Cf}]+$/u

/** The columns that a text takes. */
export function columnsOf(text: string): number {
  let columns = 0
  for (const { segment } of graphemes.segment(text)) columns += widthOf(segment)
  return columns
}

/** Blanks after the text, up to so many columns. */
export function padColumns(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - columnsOf(text)))
}

/** Breaks a text into lines of at most so many columns, at its own line breaks and where it is too wide. */
export function wrapColumns(text: string, columns: number): string[] {
  return text.split('\n').flatMap((line) => {
    const lines = ['']
    let width = 0
    for (const { segment } of graphemes.segment(line)) {
      width += widthOf(segment)
      if (width > columns) {
        lines.push('')
        width = widthOf(segment)
      }
      lines[lines.length - 1] += segment
    }
    return lines
  })
}

function widthOf(grapheme: string): number {
  if (NO_WIDTH.test(grapheme)) return 0
  return WIDE.test(grapheme) ? 2 : 1
}
