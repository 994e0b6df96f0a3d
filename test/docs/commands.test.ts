import { describe, expect, test } from 'vitest'
import { EXIT } from '../../src/cli/command.js'
import { createProgram } from '../../src/cli/run.js'
import { all, languagesOf, PAGES, read, rowsOf, sorted, wordOf } from './pages.js'

/** The options of each command, as `--help` lists them. */
const options: Record<string, string[]> = {}
const { commands } = createProgram({
  env: {},
  streams: process,
  stop: new AbortController().signal,
  end: async () => {},
})
for (const command of commands) options[command.name()] = command.options.flatMap(({ long }) => long ?? [])

describe.each(languagesOf('docs/operating.md'))('%s', (page) => {
  const commands = rowsOf(page, 'command', '命令')

  test('lists exactly the commands and options of the command line', () => {
    const listed = commands.map(([command, flags = '']) => [
      wordOf(command),
      sorted(all(flags, /`(--[\w-]+)`/g)),
    ])
    const existing = Object.entries(options).map(([command, flags]) => [command, sorted(flags)])
    expect(listed.length).toBeGreaterThan(5)
    expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(existing))
  })

  test('lists exactly the exit codes, and gives commands no other', () => {
    const codes = rowsOf(page, 'exit code', '退出码').map(([code]) => Number(code))
    expect(codes).toEqual(Object.values(EXIT))
    for (const [command, , , exits = ''] of commands)
      for (const exit of all(exits, /(\d)/g)) expect(codes, command).toContain(Number(exit))
  })
})

test.each(PAGES)('%s uses npm scripts and commands that there are', (page) => {
  const text = read(page)
  const scripts = Object.keys(JSON.parse(read('package.json')).scripts)
  expect(scripts).toEqual(expect.arrayContaining(all(text, /npm run (?:-s )?([\w:-]+)/g)))
  const used = [
    ...text.matchAll(/(?:cli|main\.js) (?:-- )?([a-z][a-z-]*)((?: --[\w-]+(?: (?:\d+|'[^']*'))?)*)/g),
    ...text.matchAll(/`(audit|bring-back|migrate|plan|recover|remind|restored|serve)((?: --[\w-]+)+)`/g),
    ...text.matchAll(/npm run (demo) --((?: --\w+)+)/g),
  ]
  for (const [use, command = '', flags = ''] of used) {
    expect(Object.keys(options), use).toContain(command)
    expect(options[command], use).toEqual(expect.arrayContaining(all(flags, /(--[\w-]+)/g)))
  }
})
