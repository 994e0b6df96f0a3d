import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The documents as the tests read them: a page is its path from the root of the repository. */

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

export const exists = (path: string): boolean => existsSync(ROOT + path)
export const read = (path: string): string => readFileSync(ROOT + path, 'utf8')

/** Every page, the mini-program's own apart. */
export const PAGES = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...['docs', 'examples/node-client'].flatMap((folder) =>
    readdirSync(ROOT + folder).map((name) => `${folder}/${name}`),
  ),
].filter((page) => page.endsWith('.md'))

export const isChinese = (page: string): boolean => page.endsWith('.zh-CN.md')
/** Pages that there are in both languages: the English one, then the Chinese one. */
export const PAIRS = PAGES.filter(isChinese).map((chinese) => [
  chinese.replace('.zh-CN.md', '.md'),
  chinese,
]) as [string, string][]

/** Both languages of a page, as far as it has them. */
export const languagesOf = (page: string): string[] =>
  PAGES.filter((other) => other === page || other === page.replace(/\.md$/, '.zh-CN.md'))

/** Every first group of a pattern. */
export const all = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map((match) => match[1] ?? '')

export const sorted = (words: Iterable<string>): string[] => [...new Set(words)].sort()

export const withoutCode = (text: string): string => text.replace(/^ *```[\s\S]*?^ *```/gm, '')

/** The blocks of code in one of these languages. */
export const codeIn = (text: string, ...languages: string[]): string[] =>
  all(text, new RegExp(`^\`\`\`(?:${languages.join('|')})\\n([\\s\\S]*?)^\`\`\``, 'gm'))

export const headingsOf = (text: string): string[] => all(withoutCode(text), /^#+ (.*)$/gm)

/** The anchors of a page, as GitHub makes them of its headings. */
export const anchorsOf = (text: string): string[] =>
  headingsOf(text).map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\- _]/gu, '')
      .replaceAll(' ', '-'),
  )

/** Tables as rows of cells, the header first. */
export function tablesOf(text: string): string[][][] {
  return all(withoutCode(text), /((?:^ *\|.*\n)+)/gm).map((table) =>
    table
      .trimEnd()
      .split('\n')
      .filter((_, line) => line !== 1)
      .map((row) =>
        row
          .trim()
          .slice(1, -1)
          .split('|')
          .map((cell) => cell.trim()),
      ),
  )
}

/** The rows of all tables whose first column has one of these names. */
export function rowsOf(page: string, ...names: string[]): string[][] {
  const found = tablesOf(read(page)).filter(([header]) => names.includes(header?.[0] ?? ''))
  if (found.length === 0) throw new Error(`${page} has no table of ${names.join(', ')}`)
  return found.flatMap((table) => table.slice(1))
}

/** What a cell names: its `words` in code. */
export const wordsIn = (cell = ''): string[] => all(cell, /`([^`]+)`/g)

/** The one `word` in code that a cell consists of; '' for any other cell. */
export const wordOf = (cell = ''): string => /^`([^`]+)`$/.exec(cell)?.[1] ?? ''

/** What there is to type, without comments, which are in the reader's language. */
export const commandsIn = (text: string): string[] =>
  codeIn(text, 'sh', 'sql', 'js', 'xml').map((block) =>
    block.replace(/^(#|--|\/\*\*).*\n/gm, '').replace(/ +#.*$/gm, ''),
  )

/** `NAME=value` lines as an environment, as `set -a; . ./.env` would read them. */
export const environmentOf = (lines: string): Record<string, string> =>
  Object.fromEntries(
    all(lines, /^([A-Z_]+=.*)$/gm).map((line) => {
      const [, name = '', value = ''] = /^([A-Z_]+)='?(.*?)'?$/.exec(line) ?? []
      return [name, value]
    }),
  )
