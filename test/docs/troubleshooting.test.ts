import { describe, expect, test } from 'vitest'
import { codesOf } from '../../src/findings/by-code.js'
import { type FindingName, KNOWN_ERRORS } from '../../src/findings/catalogue.js'
import { all, languagesOf, rowsOf, wordOf } from './pages.js'

describe.each(languagesOf('docs/troubleshooting.md'))('%s', (page) => {
  const isChinese = page.includes('zh-CN')
  const rows = rowsOf(page, 'symptom', '现象')
  const plain = (text = ''): string => text.replaceAll('`', '')

  test('lists exactly the findings that there are, in their order', () => {
    expect(rows.map(([, finding]) => wordOf(finding))).toEqual(Object.keys(KNOWN_ERRORS))
  })

  test('says of each which error it is, by which codes it is known, what it means and what to do', () => {
    for (const [symptom, finding, error, codes, meaning, fix] of rows) {
      const name = wordOf(finding) as FindingName
      const known = KNOWN_ERRORS[name]
      expect(symptom, name).not.toBe('')
      expect(all(error ?? '', /(\d|–)/g)[0], name).toBe(known.error === 0 ? '–' : String(known.error))
      expect(all(codes ?? '', /(-?\d+)/g).map(Number), name).toEqual(codesOf(name))
      expect(plain(meaning), name).toBe(isChinese ? known.reason.zh : known.reason.en)
      expect(plain(fix), name).toBe(isChinese ? known.fix.zh : known.fix.en)
    }
  })

  test('has a finding for each of the seven errors', () => {
    const errors = new Set(Object.values(KNOWN_ERRORS).map(({ error }) => error))
    expect([...errors].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })
})
