import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { XMLParser } from 'fast-xml-parser'
import { describe, expect, test } from 'vitest'
import { CHARTS, drawChart } from '../../bench/charts.js'
import { pagesOf, readResults } from '../../bench/pages.js'
import type { Section } from '../../bench/report.js'
import { SIDE_BY_SIDE } from '../../bench/suites/index.js'

const FOLDER = fileURLToPath(new URL('../../docs/bench/', import.meta.url))

const work = (name: string, per_second: number) => ({
  name,
  unit: 'users',
  done: 1_000,
  seconds: 1,
  per_second,
  node_us: 10,
  database_us: 10,
  rss_mb: 100,
})

const section: Section = {
  machine: { cpu: '2 x Xeon(R)', memory_gb: 24, node: 'v20.20.2', database: 'MariaDB 10.11.19' },
  date: '2026-11-21',
  command: 'npm run bench',
  rounds: 3,
  work: [work('sweep', 25_000), work('sweep in one transaction', 100_000), work('article sweep', 50_000)],
  targets: [{ name: 'sweep / one transaction', figure: 0.25, floor: 0.25, aim: 0.5, standing: 'floor' }],
}

const chart = CHARTS.find(({ file }) => file === 'sweep.svg')

interface Drawn {
  svg: { style: string; rect: { class: string; width: number }[]; text: { '#text': string | number }[] }
}

function draw(of: Section): Drawn['svg'] {
  if (!chart) throw new Error('no chart of the sweep')
  const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: '',
    parseAttributeValue: true,
  })
  return (parser.parse(drawChart(chart, of), true) as Drawn).svg
}

describe('a chart', () => {
  test('has a bar for each candidate, as long as it is fast', () => {
    const bars = draw(section).rect.map(({ width }) => width)
    expect(bars).toHaveLength(3)
    const [ours = 0, most = 1, third = 0] = bars
    expect(ours / most).toBeCloseTo(0.25, 2)
    expect(third / most).toBeCloseTo(0.5, 2)
  })

  test('tells this service from others, and its text from the ground in light and dark', () => {
    const { rect, style } = draw(section)
    expect(rect.map((bar) => bar.class)).toEqual(['ours', 'other', 'other'])
    expect(style).toContain('prefers-color-scheme: dark')
  })

  test('says which machine measured it, with what, when, and by which command', () => {
    expect(draw(section).text.at(-1)?.['#text']).toBe(
      '2 x Xeon(R), 24 GB; Node 20.20.2, MariaDB 10.11.19; 2026-11-21; npm run bench',
    )
  })
})

test('every chart is of candidates that there are, and has a file of its own', () => {
  const names = new Set(SIDE_BY_SIDE.map(({ name }) => name))
  expect(CHARTS.flatMap(({ candidates }) => candidates).filter((name) => !names.has(name))).toEqual([])
  expect(new Set(CHARTS.map(({ file }) => file)).size).toBe(CHARTS.length)
})

test('the page has the work and the targets of both suites', () => {
  const page = pagesOf({
    side_by_side: section,
    growth: { ...section, command: 'npm run bench -- --growth' },
  })
  const readme = page.get('README.md')
  expect(readme).toContain('| sweep (users) | 25000 |')
  expect(readme).toContain('| sweep / one transaction | 0.250 | 0.25 | 0.5 | floor |')
  expect(readme).toContain('`npm run bench -- --growth`')
  expect([...page.keys()]).toEqual([...CHARTS.map(({ file }) => file), 'README.md'])
})

test('the pages in docs are those of the results beside them', () => {
  for (const [file, text] of pagesOf(readResults(FOLDER)))
    expect(readFileSync(FOLDER + file, 'utf8'), file).toBe(text)
})
