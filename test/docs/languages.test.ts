import { describe, expect, test } from 'vitest'
import {
  all,
  codeIn,
  commandsIn,
  PAGES,
  PAIRS,
  read,
  sorted,
  tablesOf,
  withoutCode,
  wordsIn,
} from './pages.js'

/** The nodes and arrows of a diagram, without what is written on them. */
const shapeOf = (diagram: string) =>
  diagram
    .replace(/"[^"]*"|\(\[.*?\]\)/g, '')
    .replace(/^( *(?:\S+ --> \S+|\w+-?->>\w+|Note over \w+):|.* as ).*$/gm, '$1')

/** Words in code that are written in the reader's language: what a person types or WeChat's console shows. */
const isTranslated = (word: string) => /\p{Script=Han}|^https:\/\/your-domain/u.test(word)

describe.each(PAIRS)('%s and %s', (...pages) => {
  const [english = '', chinese = ''] = pages.map(read)

  test('have the same sections', () => {
    const levels = (text: string) => all(withoutCode(text), /^(#+) /gm)
    expect(levels(chinese)).toEqual(levels(english))
  })

  test('have the same commands, output and diagrams', () => {
    expect(commandsIn(chinese)).toEqual(commandsIn(english))
    expect(codeIn(chinese, 'text')).toEqual(codeIn(english, 'text'))
    expect(codeIn(chinese, 'mermaid').map(shapeOf)).toEqual(codeIn(english, 'mermaid').map(shapeOf))
  })

  test('say the same of the same names, row by row', () => {
    const names = (text: string) =>
      tablesOf(text).map((table) =>
        table.map((row) => sorted(row.flatMap(wordsIn).filter((word) => !isTranslated(word)))),
      )
    expect(names(chinese)).toEqual(names(english))
  })
})

test.each(PAGES)('%s has no semicolon in a diagram: Mermaid would begin a new statement there', (page) => {
  for (const diagram of codeIn(read(page), 'mermaid')) expect(diagram).not.toContain(';')
})
