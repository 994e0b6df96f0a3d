import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { readAccount, readConfig } from '../src/config/read.js'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const DOCS = ['docs/mini-program.md', 'docs/mini-program.zh-CN.md']

const read = (name: string) => readFileSync(`${ROOT}/${name}`, 'utf8')
const all = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map((match) => match[1] ?? '')
const withoutCode = (text: string) => text.replace(/^```[\s\S]*?^```/gm, '')
const codeIn = (text: string, language: string) =>
  all(text, new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))

describe.each(DOCS)('%s', (name) => {
  const text = read(name)

  test('names settings that there are', () => {
    const variables = all(read('src/config.ts'), /^ {2}([A-Z][A-Z_]+): /gm)
    const named = all(text, /\b((?:WX|REMINDER|SESSION|USER|API|TRUST|RATE)_[A-Z_]+)\b/g)
    expect(named.length).toBeGreaterThan(10)
    expect(named.filter((variable) => !variables.includes(variable))).toEqual([])
  })

  test('shows a configuration that the service takes', () => {
    const [lines = ''] = codeIn(text, 'sh')
    const env = Object.fromEntries(
      lines
        .split('\n')
        .map((line) => [line.split('=', 1)[0] ?? '', line.replace(/^\w+='?/, '').replace(/'$/, '')]),
    )
    // Its secrets are samples, which nobody may use.
    expect(() => readConfig(env)).toThrow(/SESSION_SECRET: .* sample/)
    const secret = (bytes: number) => randomBytes(bytes).toString('hex')
    const own = {
      ...env,
      SESSION_SECRET: secret(32),
      WX_CALLBACK_TOKEN: secret(16),
      WX_ENCODING_AES_KEY: secret(22).slice(1),
    }
    expect(readConfig(own).sessionSecrets).toHaveLength(1)
    expect(readAccount(own)).toMatchObject({ channel: 'subscribe', userIds: 'auto' })
  })

  test('names files and properties of the kit that there are', () => {
    const paths = all(text, /`((?:components|pages|lib)\/[\w./-]+)`/g)
    expect(paths.length).toBeGreaterThan(5)
    for (const path of paths) expect(existsSync(`${ROOT}/examples/mini-program/${path}`), path).toBe(true)
    const tags = all(codeIn(text, 'xml').join(), /<((?:permit|subscribe)-[^>]+)>/g)
    expect(tags).toHaveLength(2)
    for (const tag of tags) {
      const [component = ''] = tag.split(' ')
      const source = read(`examples/mini-program/components/${component}/index.js`)
      for (const property of all(tag, / ([\w-]+)=/g)) {
        const camel = property.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
        expect(source, property).toMatch(new RegExp(`\\b${camel}:`))
      }
      for (const event of all(tag, /bind:(\w+)/g)) expect(source).toContain(`triggerEvent('${event}'`)
    }
  })
})

test('both languages have the same sections, tables, commands and diagram', () => {
  const shapes = DOCS.map(read).map((text) => ({
    headings: all(withoutCode(text), /^(#+) /gm),
    tables: all(withoutCode(text), /((?:^\|.*\n)+)/gm).map((table) => table.split('\n').length),
    code: [...codeIn(text, 'sh'), ...codeIn(text, 'xml')],
    diagram: codeIn(text, 'mermaid').map((diagram) => all(diagram, /(\w+-?->>\w+):/g)),
  }))
  expect(shapes[0]?.diagram[0]?.length).toBeGreaterThan(15)
  expect(shapes[1]).toEqual(shapes[0])
})
