import { posix } from 'node:path'
import { describe, expect, test } from 'vitest'
import { all, anchorsOf, exists, isChinese, PAGES, PAIRS, read, withoutCode } from './pages.js'

/** Where a page's links lead: relative ones only. */
function linksOf(page: string): { file: string; anchor: string }[] {
  return all(withoutCode(read(page)), /\]\(([^)\s]+)\)/g)
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => {
      const [path = '', anchor = ''] = link.split('#')
      const file = path === '' ? page : posix.join(posix.dirname(page), path)
      return { file, anchor: decodeURIComponent(anchor) }
    })
}

describe.each(PAGES)('%s', (page) => {
  test('links to files and headings that there are', () => {
    for (const { file, anchor } of linksOf(page)) {
      expect(exists(file), `${page} links to ${file}`).toBe(true)
      if (anchor !== '') expect(anchorsOf(read(file)), `${page} links to ${file}#${anchor}`).toContain(anchor)
    }
  })

  test('names files of this repository that there are', () => {
    const named = all(read(page), /`((?:src|test|docs|examples|migrations|seeds|bench|checks)\/[\w./-]*)`/g)
    expect(named.filter((path) => !exists(path))).toEqual([])
  })

  test('has no two headings with one anchor', () => {
    const anchors = anchorsOf(read(page))
    expect(anchors).toEqual([...new Set(anchors)])
  })
})

test.each(['README.md', 'README.zh-CN.md'])(
  '%s leads to every page, in its language where there is one',
  (readme) => {
    const chinese = new Map(PAIRS)
    const wanted = PAGES.filter((page) => !isChinese(page) && !page.startsWith('README')).map((page) =>
      readme === 'README.md' ? page : (chinese.get(page) ?? page),
    )
    expect(linksOf(readme).map(({ file }) => file)).toEqual(expect.arrayContaining(wanted))
  },
)

test.each(PAIRS)('%s and %s lead to each other', (english, chinese) => {
  expect(linksOf(english).map(({ file }) => file)).toContain(chinese)
  expect(linksOf(chinese).map(({ file }) => file)).toContain(english)
})
