import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { beforeAll, describe, expect, test } from 'vitest'
import { languagesOf, rowsOf, wordOf } from '../docs/pages.js'
import { promtool } from '../helpers/promtool.js'
import { readScrape } from '../helpers/scrape.js'
import { useService } from '../helpers/service.js'
import { metricsIn, readOps, readRules, selectorsIn } from './rules.js'

const service = useService('sqlite')
let exported: string[]

/** Labels of a metric, as far as it has a sample in a service that has done next to nothing. */
let labelsOf: (metric: string) => Set<string> | undefined

beforeAll(async () => {
  const runs = {
    app_id: service.account.appId,
    slot: 20_261_120,
    triggered_by: 'cron',
    started_at: 1,
    updated_at: 1,
  }
  await service
    .db('wx_job_run')
    .insert(['remind', 'expire'].map((job) => ({ ...runs, job, state: 'done', finished_at: 1 })))
  await service.request('GET', '/healthz')
  const { names, samples } = readScrape((await service.request('GET', '/metrics')).text)
  exported = names
  labelsOf = (metric) => {
    const found = samples.filter(({ name }) => metricOf(name) === metric)
    return found.length === 0 ? undefined : new Set(found.flatMap(({ labels }) => Object.keys(labels)))
  }
})

const Text = Type.String({ minLength: 1 })
const Source = Type.Object({
  type: Type.Literal('prometheus'),
  uid: Type.String({ pattern: '^\\$\\{datasource\\}$' }),
})
const Place = Type.Object({
  x: Type.Integer({ minimum: 0, maximum: 23 }),
  y: Type.Integer({ minimum: 0 }),
  w: Type.Integer({ minimum: 1, maximum: 24 }),
  h: Type.Integer({ minimum: 1 }),
})
const Row = Type.Object({
  id: Type.Integer(),
  type: Type.Literal('row'),
  title: Text,
  collapsed: Type.Literal(false),
  gridPos: Place,
  panels: Type.Array(Type.Never()),
})
const Panel = Type.Object({
  id: Type.Integer(),
  type: Type.Union([Type.Literal('stat'), Type.Literal('timeseries')]),
  title: Text,
  description: Type.Optional(Text),
  datasource: Source,
  gridPos: Place,
  targets: Type.Array(
    Type.Object({
      refId: Type.String({ pattern: '^[A-Z]$' }),
      datasource: Source,
      expr: Text,
      legendFormat: Text,
    }),
    { minItems: 1 },
  ),
  fieldConfig: Type.Object({ defaults: Type.Object({ unit: Text }), overrides: Type.Array(Type.Unknown()) }),
  options: Type.Object({}),
})
const Variable = (name: string, type: string) =>
  Type.Object({ name: Type.Literal(name), type: Type.Literal(type) })
/** What Grafana 10 and later needs of a dashboard to import it. */
const Dashboard = Type.Object({
  title: Text,
  uid: Type.String({ pattern: '^[a-z-]{1,40}$' }),
  schemaVersion: Type.Integer({ minimum: 36 }),
  version: Type.Integer(),
  time: Type.Object({ from: Text, to: Text }),
  templating: Type.Object({
    list: Type.Tuple([
      Variable('datasource', 'datasource'),
      Variable('job', 'query'),
      Variable('app_id', 'query'),
    ]),
  }),
  annotations: Type.Object({ list: Type.Array(Type.Unknown()) }),
  panels: Type.Array(Type.Union([Row, Panel]), { minItems: 10 }),
})

/** Throws where it is no such dashboard. */
function readDashboard(): Static<typeof Dashboard> {
  return Value.Parse(Dashboard, JSON.parse(readOps('grafana-dashboard.json')))
}

const targetsOf = ({ panels }: Static<typeof Dashboard>) =>
  panels.flatMap((panel) => ('targets' in panel ? panel.targets : []))

/** The metric that a series belongs to: histograms have three kinds of them. */
const metricOf = (series: string): string =>
  exported.includes(series) ? series : series.replace(/_(?:bucket|sum|count)$/, '')

describe.each(languagesOf('docs/operating.md'))('%s', (page) => {
  test('lists exactly the metrics of the service, those of Node apart', () => {
    const listed = rowsOf(page, 'metric', '指标').map(([name]) => wordOf(name))
    const own = exported.filter((name) => name.startsWith('reminder_'))
    expect(own.length).toBeGreaterThan(30)
    expect([...listed].sort()).toEqual([...own].sort())
  })
})

test('each metric says in a sentence what it is', async () => {
  const { text } = await service.request('GET', '/metrics')
  const own = [...text.matchAll(/^# HELP (reminder_\S+) (.*)$/gm)]
  expect(own.length).toBeGreaterThan(30)
  for (const [, name, help] of own) expect(help, name).toMatch(/^[A-Z1].{15,}\.$/)
})

test('the alerts use only metrics that the service has', () => {
  for (const { name, expr } of readRules()) {
    const used = metricsIn(expr)
    expect(used.length, name).toBeGreaterThan(0)
    for (const series of used) expect(exported, name).toContain(metricOf(series))
  }
})

test('the alerts and the dashboard select by labels that the metrics have', () => {
  const exprs = [...readRules(), ...targetsOf(readDashboard())].map(({ expr }) => expr)
  let checked = 0
  for (const expr of exprs) {
    for (const { metric, labels } of selectorsIn(expr)) {
      const there = labelsOf(metricOf(metric))
      if (!there) continue
      checked++
      for (const label of labels) expect([...there, 'job'], `${label} in ${expr}`).toContain(label)
    }
  }
  expect(checked).toBeGreaterThan(40)
})

test('the dashboard is one that Grafana imports, and its panels do not overlap', () => {
  const { panels } = readDashboard()
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
  const taken = new Set<string>()
  for (const { title, gridPos } of panels) {
    const { x, y, w, h } = gridPos
    expect(x + w, title).toBeLessThanOrEqual(24)
    for (let column = x; column < x + w; column++) {
      for (let line = y; line < y + h; line++) {
        expect(taken.has(`${column} ${line}`), title).toBe(false)
        taken.add(`${column} ${line}`)
      }
    }
  }
})

test('the dashboard uses only metrics that the service has, each for the chosen job, and shows most of them', () => {
  const targets = targetsOf(readDashboard())
  const used = new Set<string>()
  for (const { expr } of targets) {
    const names = metricsIn(expr)
    expect(names.length, expr).toBeGreaterThan(0)
    expect(expr.split('job="$job"').length - 1, expr).toBe(names.length)
    for (const series of names) {
      expect(exported, expr).toContain(metricOf(series))
      used.add(metricOf(series))
    }
  }
  const own = exported.filter((name) => name.startsWith('reminder_'))
  expect(own.filter((name) => used.has(name)).length).toBeGreaterThan(0.7 * own.length)
})

test('every expression of the dashboard is one that Prometheus understands', { tags: ['programs'] }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'reminder-rules-'))
  try {
    const exprs = targetsOf(readDashboard()).map(({ expr }) => expr.replaceAll('$__rate_interval', '5m'))
    const records = exprs.map(
      (expr, i) => `      - record: panel:${i}\n        expr: ${JSON.stringify(expr)}`,
    )
    const file = join(folder, 'rules.yml')
    writeFileSync(file, `groups:\n  - name: dashboard\n    rules:\n${records.join('\n')}\n`)
    const { code, said } = promtool(['check', 'rules', file])
    expect(said).toContain(`SUCCESS: ${exprs.length} rules found`)
    expect(code).toBe(0)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
