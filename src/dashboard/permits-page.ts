import { needsPermit } from '../channel.js'
import { parseIsoDate, toIsoDate } from '../lib/business-date.js'
import type { Flow } from '../summaries/flow.js'
import type { Forecast, ForecastDay } from '../summaries/forecast.js'
import type { GoingDark } from '../summaries/going-dark.js'
import type { Stock } from '../summaries/stock.js'
import { day } from './answers.js'
import { chart } from './chart.js'
import { type Column, type Figure, figures, linkButton, pageHead, panel, table, tabs } from './components.js'
import { type Html, html } from './html.js'
import { flowPanel, stockPanel } from './permits-charts.js'
import type { Page, Reader, Scribe } from './reader.js'
import { userPath } from './user-page.js'

export const RANGES = [7, 14, 30] as const

export interface PermitsFacts {
  range: number
  forecast: Forecast
  stock: Stock
  flow: Flow
  /** undefined: no day of the forecast has anybody who goes dark. */
  dark: GoingDark | undefined
}

export function permitsPage(reader: Reader, facts: PermitsFacts): Page {
  const { texts, account } = reader
  const t = texts.permits
  const { stock, flow, dark } = facts
  const forecast = withoutSpentDay(facts.forecast)
  if (!needsPermit(account.channel)) return followersPage(reader, forecast, facts.range)
  return {
    title: t.title,
    section: 'permits',
    scripts: ['charts.js'],
    body: html`${pageHead(t.title, t.lead)}
${panel(t.stock, figures(figuresOf(reader, { forecast, stock })), { note: asOf(reader, forecast.as_of ?? stock.as_of) })}
${forecastPanel(reader, { forecast, range: facts.range })}
<div class="columns even">${stockPanel(reader, stock)}${flowPanel(reader, flow)}</div>
${dark && darkPanel(reader, forecast, dark, facts.range)}`,
  }
}

/** Of a service account, which needs no permits: who can be reminded, and nothing of permits. */
function followersPage(reader: Reader, forecast: Forecast, range: number): Page {
  const t = reader.texts.permits
  const [, reachable] = figuresOf(reader, { forecast, stock: NO_STOCK })
  return {
    title: t.title,
    section: 'permits',
    scripts: ['charts.js'],
    body: html`${pageHead(t.title, t.notNeededLead)}
${panel(t.notNeeded, html`<p>${t.notNeededText}</p>${reachable && figures([reachable])}`, { note: asOf(reader, forecast.as_of) })}
${forecastPanel(reader, { forecast, range })}`,
  }
}

const NO_STOCK: Stock = { as_of: null, permits: [] }

/** After its run, today has nobody left: the next days are what is asked about. */
function withoutSpentDay(forecast: Forecast): Forecast {
  const [first, ...rest] = forecast.days
  return first?.reachable === 0 && rest.length > 0 ? { ...forecast, days: rest } : forecast
}

function asOf({ texts, format }: Scribe, time: string | null): string {
  return time === null ? texts.frame.notYet : texts.frame.asOf(format.dateTime(Date.parse(time)))
}

function figuresOf(
  { texts, format }: Scribe,
  { forecast, stock }: Pick<PermitsFacts, 'forecast' | 'stock'>,
): Figure[] {
  const t = texts.permits
  const inStock = stock.permits.reduce((sum, { permits }) => sum + permits, 0)
  const [first] = forecast.days
  const all: Figure[] = [{ label: t.inStock, value: format.number(inStock) }]
  if (!first) return all
  const { expected_low: low, expected_high: high } = first
  return [
    ...all,
    {
      label: t.reachable(day(format, first.date)),
      value: format.number(first.reachable),
      ...(low === null || high === null || low === high
        ? {}
        : { note: t.expected(format.number(low), format.number(high)) }),
    },
    { label: t.goingDark, value: format.number(first.going_dark), note: t.goingDarkNote },
  ]
}

function forecastPanel(reader: Reader, { forecast, range }: Pick<PermitsFacts, 'forecast' | 'range'>): Html {
  const { texts, format } = reader
  const t = texts.permits
  const { days } = forecast
  const switcher = tabs(
    t.range,
    RANGES.map((n) => ({
      title: t.days(format.number(n)),
      href: `${reader.home}/permits?days=${n}`,
      current: n === range,
    })),
  )
  const [first, last] = [days[0], days.at(-1)]
  if (!first || !last) return panel(t.forecast, html`${switcher}<p class="empty">${texts.frame.notYet}</p>`)
  const drawn = chart(
    reader,
    {
      id: 'forecast',
      label: t.forecastLabel(day(format, first.date), day(format, last.date)),
      categories: days.map(({ date }) => day(format, date)),
      series: [
        { name: t.reach, tone: 'good', type: 'line', values: days.map(({ reachable }) => reachable) },
        {
          name: t.usual,
          tone: 'info',
          type: 'line',
          dashed: true,
          values: days.map(({ expected }) => expected),
        },
        {
          name: 'low',
          tone: 'info',
          type: 'line',
          stack: 'band',
          hidden: true,
          values: days.map(({ expected_low }) => expected_low),
        },
        { name: t.band, tone: 'info', type: 'line', stack: 'band', band: true, values: days.map(widthOf) },
      ],
    },
    forecastTable(reader, days),
  )
  const note = needsPermit(reader.account.channel) ? t.forecastNote : t.forecastNoteFollowers
  return panel(t.forecast, html`${switcher}${drawn}`, { note })
}

function widthOf({ expected_low, expected_high }: ForecastDay): number | null {
  return expected_low === null || expected_high === null ? null : expected_high - expected_low
}

function forecastTable({ texts, format, account }: Scribe, days: ForecastDay[]): Html {
  const t = texts.permits
  const ofPermits: Column<ForecastDay>[] = [
    { title: t.columns.left, numeric: true, cell: ({ permits_left }) => format.number(permits_left) },
    { title: t.columns.dark, numeric: true, cell: ({ going_dark }) => format.number(going_dark) },
  ]
  const orNothing = (value: number | null): string => (value === null ? '–' : format.number(value))
  return table(
    t.forecast,
    [
      { title: texts.frame.day, cell: ({ date }) => day(format, date) },
      { title: t.columns.reach, numeric: true, cell: ({ reachable }) => format.number(reachable) },
      ...(needsPermit(account.channel) ? ofPermits : []),
      { title: t.columns.expected, numeric: true, cell: ({ expected }) => orNothing(expected) },
      {
        title: t.columns.band,
        numeric: true,
        cell: ({ expected_low, expected_high }) =>
          expected_low === null ? '–' : `${orNothing(expected_low)} – ${orNothing(expected_high)}`,
      },
    ],
    days,
    texts.frame.notYet,
  )
}

function darkPanel(reader: Reader, forecast: Forecast, dark: GoingDark, range: number): Html {
  const { texts, format, home } = reader
  const t = texts.permits
  const href = (date: string, after?: number | string): string =>
    `${home}/permits?days=${range}&dark=${date}${after === undefined ? '' : `&after=${after}`}#dark`
  const days = forecast.days.filter(({ going_dark }) => going_dark > 0)
  const list =
    dark.users.length === 0
      ? html`<p class="empty">${t.darkEmpty}</p>`
      : html`<ul class="chips">${dark.users.map(
          ({ user_id, permits }) =>
            html`<li><a href="${userPath(reader)}/${user_id}">${user_id}${permits > 1 && html` <small>× ${format.number(permits)}</small>`}</a></li>`,
        )}</ul>`
  return html`<div id="dark">${panel(
    t.darkTitle,
    html`${tabs(
      t.darkDay,
      days.map(({ date, going_dark }) => ({
        title: `${day(format, date)} · ${format.number(going_dark)}`,
        href: href(date),
        current: date === dark.date,
      })),
    )}${list}${dark.next !== null && html`<div class="buttons">${linkButton(href(dark.date, dark.next), texts.frame.more)}</div>`}`,
    { note: t.darkNote(day(format, dark.date)) },
  )}</div>`
}

/** The day asked for, if it is one; else the first on which somebody goes dark. */
export function darkDayOf(forecast: Forecast, asked: unknown): number | undefined {
  const date = typeof asked === 'string' ? parseIsoDate(asked) : undefined
  const days = forecast.days.map((one) => one.date)
  if (date !== undefined && days.includes(toIsoDate(date))) return date
  const first = forecast.days.find(({ going_dark }) => going_dark > 0)
  return first && parseIsoDate(first.date)
}
