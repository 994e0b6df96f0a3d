import type { Flow } from '../summaries/flow.js'
import type { Stock } from '../summaries/stock.js'
import { day, sinceFirst } from './answers.js'
import { chart, type Series } from './chart.js'
import { panel, table } from './components.js'
import { type Html, html } from './html.js'
import type { Scribe } from './reader.js'

const SOURCES = ['form', 'pay', 'subscribe'] as const
const TONES = { form: 'good', pay: 'info', subscribe: 'warn' } as const

/** The summaries count so many days one by one; the last one stands for more. */
const MOST_DAYS = 30

/** What is in stock, by the days that it is still good for. */
export function stockPanel(scribe: Scribe, { permits }: Stock): Html {
  const { texts, format } = scribe
  const t = texts.permits
  if (permits.length === 0) return panel(t.stockTitle, html`<p class="empty">${t.noStock}</p>`)
  const lives = [...new Set(permits.map(({ days_left }) => days_left))].sort(
    (a, b) => (a ?? Number.POSITIVE_INFINITY) - (b ?? Number.POSITIVE_INFINITY),
  )
  const nameOf = (life: number | null): string => {
    if (life === null) return t.never
    return life >= MOST_DAYS ? t.orMore(format.number(life)) : format.number(life)
  }
  const of = (life: number | null, source?: string): number =>
    permits
      .filter((one) => one.days_left === life && (source === undefined || one.source === source))
      .reduce((sum, one) => sum + one.permits, 0)
  const present = SOURCES.filter((source) => permits.some((one) => one.source === source))
  const series = present.map(
    (source): Series => ({
      name: t.sources[source],
      tone: TONES[source],
      type: 'bar',
      stack: 'stock',
      values: lives.map((life) => of(life, source)),
    }),
  )
  const numbers = table<number | null>(
    t.stockTitle,
    [
      { title: t.daysLeft, cell: nameOf },
      ...present.map((source) => ({
        title: t.sources[source],
        numeric: true,
        cell: (life: number | null) => format.number(of(life, source)),
      })),
    ],
    lives,
    t.noStock,
  )
  return panel(
    t.stockTitle,
    chart(scribe, { id: 'stock', label: t.stockLabel, categories: lives.map(nameOf), series }, numbers),
    { note: t.stockNote },
  )
}

/** What came in and what went out. */
export function flowPanel(scribe: Scribe, flow: Flow): Html {
  const { texts, format } = scribe
  const t = texts.permits
  const grantedOf = ({ granted }: Flow['days'][number]): number =>
    granted.form + granted.pay + granted.subscribe
  const days = sinceFirst(flow.days, (one) => grantedOf(one) + one.spent + one.expired === 0)
  const series: Series[] = [
    { name: t.granted, tone: 'good', type: 'bar', values: days.map(grantedOf) },
    { name: t.spent, tone: 'info', type: 'bar', stack: 'out', values: days.map(({ spent }) => spent) },
    { name: t.expired, tone: 'quiet', type: 'bar', stack: 'out', values: days.map(({ expired }) => expired) },
  ]
  const numbers = table(
    t.flowTitle,
    [
      { title: texts.frame.day, cell: ({ date }) => day(format, date) },
      { title: t.granted, numeric: true, cell: (one) => format.number(grantedOf(one)) },
      { title: t.spent, numeric: true, cell: ({ spent }) => format.number(spent) },
      { title: t.expired, numeric: true, cell: ({ expired }) => format.number(expired) },
    ],
    [...days].reverse(),
    texts.frame.notYet,
  )
  return panel(
    t.flowTitle,
    chart(
      scribe,
      { id: 'flow', label: t.flowLabel, categories: days.map(({ date }) => day(format, date)), series },
      numbers,
    ),
    { note: t.flowNote },
  )
}
