import { describe, expect, test } from 'vitest'
import { anchorsOf, headingsOf, read } from '../docs/pages.js'
import { promtool } from '../helpers/promtool.js'
import { pathOf, readOps, readRules } from './rules.js'

const rules = readRules()
const TESTS = ['alerts.test.yml', 'alerts-days.test.yml']
const tests = TESTS.flatMap((file) =>
  readOps(file)
    .split(/^ {2}- interval: /m)
    .slice(1),
)

test('there are alerts, each under a name of its own', () => {
  expect(rules.length).toBeGreaterThan(12)
  expect(new Set(rules.map(({ name }) => name)).size).toBe(rules.length)
})

describe.each(rules)('$name', ({ name, annotations }) => {
  test('says in both languages what has happened and what it means', () => {
    for (const about of ['summary', 'description']) {
      expect(annotations[about]).toMatch(/^[\x20-\x7e]+$/)
      expect(annotations[`${about}_zh`]).toMatch(/\p{Script=Han}/u)
    }
  })

  test.each(['runbook_url', 'runbook_url_zh'])('its %s leads to its section', (which) => {
    const [page = '', anchor] = (annotations[which] ?? '').split('#')
    expect(page).toBe(`docs/operating${which.endsWith('zh') ? '.zh-CN' : ''}.md`)
    expect(anchorsOf(read(page))).toContain(anchor)
    expect(anchor).toBe(name.toLowerCase())
  })

  test('is tested firing, and not firing in the same course of events', () => {
    const about = tests.filter((one) => one.includes(`'{alertname="${name}"}'`))
    expect(about.length).toBeGreaterThan(0)
    for (const one of about) expect(one).toContain('exp_samples: []')
  })
})

test.each(['docs/operating.md', 'docs/operating.zh-CN.md'])(
  '%s has a section for each alert, in their order',
  (page) => {
    const sections = headingsOf(read(page)).filter((heading) => /^Reminder[A-Z]/.test(heading))
    expect(sections).toEqual(rules.map(({ name }) => name))
  },
)

describe('promtool', { tags: ['programs'] }, () => {
  test('reads the rules', () => {
    const { code, said } = promtool(['check', 'rules', pathOf('alerts.yml')])
    expect(said).toContain(`SUCCESS: ${rules.length} rules found`)
    expect(code).toBe(0)
  })

  test('sees each alert go off when it should, and no other', () => {
    expect(promtool(['test', 'rules', ...TESTS.map(pathOf)])).toMatchObject({
      code: 0,
      said: expect.stringContaining('SUCCESS'),
    })
  })

  test('reads the example of a configuration, which names the rules', () => {
    expect(promtool(['check', 'config', '--syntax-only', pathOf('prometheus.yml')])).toMatchObject({
      code: 0,
    })
    expect(readOps('prometheus.yml')).toMatch(/^rule_files:\n {2}- alerts\.yml$/m)
  })
})
