import { describe, expect, test } from 'vitest'
import { all, codeIn, exists, languagesOf, read } from './pages.js'

const KIT = 'examples/mini-program'

describe.each(languagesOf('docs/mini-program.md'))('%s', (page) => {
  const text = read(page)

  test('names files of the kit that there are', () => {
    const paths = all(text, /`((?:components|pages|lib)\/[\w./-]+)`/g)
    expect(paths.length).toBeGreaterThan(5)
    for (const path of paths) expect(exists(`${KIT}/${path}`), path).toBe(true)
  })

  test('uses properties and events that its components have', () => {
    const tags = all(codeIn(text, 'xml').join(), /<((?:permit|subscribe)-[^>]+)>/g)
    expect(tags).toHaveLength(2)
    for (const tag of tags) {
      const [component = ''] = tag.split(' ')
      const source = read(`${KIT}/components/${component}/index.js`)
      for (const property of all(tag, / ([\w-]+)=/g)) {
        const camel = property.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
        expect(source, property).toMatch(new RegExp(`\\b${camel}:`))
      }
      for (const event of all(tag, /bind:(\w+)/g)) expect(source).toContain(`triggerEvent('${event}'`)
    }
  })

  test('tells the whole way in one diagram', () => {
    const [diagram = ''] = codeIn(text, 'mermaid')
    expect(all(diagram, /(\w+-?->>\w+):/g).length).toBeGreaterThan(15)
  })
})
