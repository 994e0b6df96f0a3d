import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { readAccount, readConfig } from '../src/config/read.js'
import { errcodeOf } from '../src/wechat/errcodes.js'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const README = ['README.md', 'README.zh-CN.md']
/** Rows of the table of verdicts, in order; the fourth has no codes of WeChat's. */
const CLASSES = [
  'ok',
  'duplicate',
  'transient',
  undefined,
  'token',
  'dead_permit',
  'user',
  'configuration',
  'quota',
]

const read = (name: string) => readFileSync(`${ROOT}/${name}`, 'utf8')
const all = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map((match) => match[1] ?? '')
const headings = (text: string) => all(withoutCode(text), /^(#+) /gm)
const withoutCode = (text: string) => text.replace(/^```[\s\S]*?^```/gm, '')
const sorted = (words: Iterable<string>) => [...new Set(words)].sort()

/** Tables as rows of cells, the header first. */
function tables(text: string): string[][][] {
  return all(withoutCode(text), /((?:^\|.*\n)+)/gm).map((table) =>
    table
      .trimEnd()
      .split('\n')
      .filter((_, line) => line !== 1)
      .map((row) =>
        row
          .slice(1, -1)
          .split('|')
          .map((cell) => cell.trim()),
      ),
  )
}

/** The rows of the table whose first column has one of these names. */
function rowsOf(text: string, ...names: string[]): string[][] {
  const table = tables(text).find(([header]) => names.includes(header?.[0] ?? ''))
  if (!table) throw new Error(`no table of ${names.join(', ')}`)
  return table.slice(1)
}

const word = (cell = '') => /^`(.+)`$/.exec(cell)?.[1] ?? ''

/** What there is to type: sh and sql blocks without their comments, which are in the reader's language. */
function commandsIn(text: string): string[] {
  return all(text, /^```(?:sh|sql)\n([\s\S]*?)^```/gm).map((block) =>
    block.replace(/^(#|--).*\n/gm, '').replace(/ +# .*$/gm, ''),
  )
}

/** Each command of the command line with its options, as `--help` lists them. */
const options: Record<string, string[]> = {}

beforeAll(async () => {
  // main.ts builds its program and parses at once: caught there, it is complete and has done nothing yet.
  const parse = vi.spyOn(Command.prototype, 'parseAsync').mockImplementation(async function (this: Command) {
    for (const command of this.commands) {
      options[command.name()] = command.options.flatMap(({ long }) => long ?? [])
    }
    return this
  })
  await import('../src/main.js')
  parse.mockRestore()
})

describe.each(README)('%s', (name) => {
  const text = read(name)

  test('names npm scripts that exist', () => {
    const scripts = Object.keys(JSON.parse(read('package.json')).scripts)
    const named = [...all(text, /npm run (?:-s )?([\w:-]+)/g), ...all(text, /npm (test|start)\b/g)]
    expect(named.length).toBeGreaterThan(10)
    expect(scripts).toEqual(expect.arrayContaining(sorted(named)))
  })

  test('lists exactly the variables that the configuration reads', () => {
    const inCode = all(read('src/config.ts'), /^ {2}([A-Z][A-Z_]+): /gm)
    const listed = rowsOf(text, 'variable', '变量').map(([variable]) => word(variable))
    expect(sorted(listed)).toEqual(sorted(inCode))
  })

  test('says the defaults that the configuration has', () => {
    const effective = (env: Record<string, string>) => ({
      ...readConfig(env),
      ...readAccount({ WX_APP_ID: 'wxA', ...env }),
    })
    const withDefault = rowsOf(text, 'variable', '变量').filter(([, value]) => word(value) !== '')
    expect(withDefault.length).toBeGreaterThan(10)
    for (const [variable, value] of withDefault) {
      expect(effective({ [word(variable)]: word(value) }), variable).toEqual(effective({}))
    }
  })

  test('lists exactly the commands and options of the command line', () => {
    const listed = rowsOf(text, 'command', '命令').map(([command, flags = '']) => [
      word(command),
      sorted(all(flags, /`(--[\w-]+)`/g)),
    ])
    const existing = Object.entries(options).map(([command, flags]) => [command, sorted(flags)])
    expect(listed.length).toBeGreaterThan(5)
    expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(existing))
  })

  test('uses commands with options that they have', () => {
    const used = [
      ...text.matchAll(/(?:cli|main\.js) (?:-- )?([a-z][a-z-]*)((?: --[\w-]+(?: \d+)?)*)/g),
      ...text.matchAll(/`(audit|remind|serve)((?: --[\w-]+)+)`/g),
      ...text.matchAll(/npm run (demo) --((?: --\w+)+)/g),
    ]
    expect(used.length).toBeGreaterThan(8)
    for (const [use, command = '', flags = ''] of used) {
      expect(Object.keys(options), use).toContain(command)
      expect(options[command], use).toEqual(expect.arrayContaining(all(flags, /(--[\w-]+)/g)))
    }
  })

  test('puts error codes into the class that they have', () => {
    const rows = rowsOf(text, 'class', '类别')
    for (const [row, errcodeClass] of CLASSES.entries()) {
      if (errcodeClass === undefined) continue
      const [codes = ''] = rows[row]?.[1]?.split('HTTP') ?? []
      const classes = all(codes, /(-?\d+)/g).map((code) => errcodeOf(Number(code)).class)
      expect(sorted(classes), rows[row]?.[0]).toEqual([errcodeClass])
    }
  })

  test('links to headings that it has', () => {
    const anchors = all(withoutCode(text), /^#+ (.*)$/gm).map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\- ]/gu, '')
        .replaceAll(' ', '-'),
    )
    expect(anchors).toEqual(expect.arrayContaining(all(text, /\]\(#([^)]+)\)/g)))
  })
})

test('both READMEs have the same sections, tables and commands', () => {
  const [english = '', chinese = ''] = README.map(read)
  expect(headings(chinese)).toEqual(headings(english))
  expect(tables(chinese).map((table) => table.length)).toEqual(tables(english).map((table) => table.length))
  expect(commandsIn(chinese)).toEqual(commandsIn(english))
})
