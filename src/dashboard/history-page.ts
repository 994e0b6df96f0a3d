import type { Bilingual } from '../lib/bilingual.js'
import type { RunState } from '../runs/run.js'
import type { History, HistoryDay } from '../summaries/history.js'
import { day, inLanguage, sinceFirst } from './answers.js'
import { chart, type Series } from './chart.js'
import {
  badge,
  callout,
  type Figure,
  figures,
  pageHead,
  panel,
  type Tone,
  table,
  tabs,
} from './components.js'
import { type Html, html } from './html.js'
import type { Page, Reader, Scribe } from './reader.js'

export const PERIODS = [30, 90] as const

export function historyPage(reader: Reader, history: History, period: number): Page {
  const { texts, format } = reader
  const t = texts.history
  const days = sinceFirst(history.days, isEmpty)
  return {
    title: t.title,
    section: 'history',
    scripts: ['charts.js'],
    body: html`${pageHead(t.title, t.lead)}
${tabs(
  t.range,
  PERIODS.map((n) => ({
    title: t.days(format.number(n)),
    href: `${reader.home}/history?days=${n}`,
    current: n === period,
  })),
)}
${panel(t.days(format.number(period)), figures(figuresOf(reader, days)))}
${panel(t.sentTitle, sent(reader, days))}
<div class="columns even">${panel(t.effectTitle, effect(reader, days.slice(0, -1), history.note))}${panel(t.failedTitle, failed(reader, days))}</div>
${panel(t.listTitle, list(reader, days))}`,
  }
}

const isEmpty = ({ state, others_signed_in }: HistoryDay): boolean => state === null && others_signed_in === 0

const sum = (days: HistoryDay[], of: (one: HistoryDay) => number): number =>
  days.reduce((total, one) => total + of(one), 0)

function figuresOf({ texts, format }: Scribe, days: HistoryDay[]): Figure[] {
  const t = texts.history
  const delivered = sum(days, (one) => one.delivered)
  const refused = sum(days, (one) => one.failed)
  const all = delivered + refused + sum(days, (one) => one.unknown)
  const runs = days.filter(({ state }) => state !== null)
  const bad = runs.filter(({ state }) => state === 'halted' || state === 'missed')
  return [
    { label: t.delivered, value: format.number(delivered), tone: 'good' },
    {
      label: t.failed,
      value: format.number(refused),
      tone: 'bad',
      ...(all > 0 ? { note: t.share(format.percent(refused / all)) } : {}),
    },
    {
      label: t.wellDays,
      value: format.number(runs.filter(({ state }) => state === 'done').length),
      note: t.ofDays(format.number(runs.length)),
    },
    { label: t.badDays, value: format.number(bad.length) },
  ]
}

function sent(scribe: Scribe, days: HistoryDay[]): Html {
  const { texts, format } = scribe
  const t = texts.history
  const of = (name: string, tone: Tone, values: number[]): Series => ({
    name,
    tone,
    type: 'bar',
    stack: 'sent',
    values,
  })
  return chart(
    scribe,
    {
      id: 'sent',
      label: t.sentLabel,
      categories: days.map(({ date }) => day(format, date)),
      series: [
        of(
          t.delivered,
          'good',
          days.map((one) => one.delivered),
        ),
        of(
          t.failed,
          'bad',
          days.map((one) => one.failed),
        ),
        of(
          t.unknown,
          'warn',
          days.map((one) => one.unknown),
        ),
      ],
    },
    table(
      t.sentTitle,
      [
        { title: texts.frame.day, cell: ({ date }) => day(format, date) },
        { title: t.delivered, numeric: true, cell: (one) => format.number(one.delivered) },
        { title: t.failed, numeric: true, cell: (one) => format.number(one.failed) },
        { title: t.unknown, numeric: true, cell: (one) => format.number(one.unknown) },
      ],
      [...days].reverse(),
      t.empty,
    ),
  )
}

const CLASS_TONES: Tone[] = ['bad', 'warn', 'info', 'quiet', 'good']

function failed(scribe: Scribe, days: HistoryDay[]): Html {
  const { texts, format } = scribe
  const t = texts.history
  const classes = [...new Set(days.flatMap(({ failed_by_class }) => Object.keys(failed_by_class)))].sort()
  if (classes.length === 0) return html`<p class="empty">${t.failedNone}</p>`
  const nameOf = (name: string): string => texts.errors.classes[name] ?? name
  return chart(
    scribe,
    {
      id: 'failed',
      label: t.failedLabel,
      categories: days.map(({ date }) => day(format, date)),
      series: classes.map((name, i) => ({
        name: nameOf(name),
        tone: CLASS_TONES[i % CLASS_TONES.length] ?? 'quiet',
        type: 'bar',
        stack: 'failed',
        values: days.map(({ failed_by_class }) => failed_by_class[name] ?? 0),
      })),
    },
    table<HistoryDay>(
      t.failedTitle,
      [
        { title: texts.frame.day, cell: ({ date }) => day(format, date) },
        ...classes.map((name) => ({
          title: nameOf(name),
          numeric: true,
          cell: ({ failed_by_class }: HistoryDay) => format.number(failed_by_class[name] ?? 0),
        })),
      ],
      days.filter(({ failed_by_class }) => Object.keys(failed_by_class).length > 0).reverse(),
      t.failedNone,
    ),
  )
}

/** A day with fewer users says nothing. */
const FEWEST = 10

const shareOf = (part: number, all: number): number | null => (all < FEWEST ? null : part / all)

/** Without today, which is not over. */
function effect(scribe: Scribe, days: HistoryDay[], note: Bilingual): Html {
  const { texts, format } = scribe
  const t = texts.history
  const percent = (share: number | null): string => (share === null ? '–' : format.percent(share))
  const reminded = (one: HistoryDay) => shareOf(one.reminded_signed_in, one.reminded)
  const others = (one: HistoryDay) => shareOf(one.others_signed_in, one.others)
  return html`${callout('info', t.noExperiment, html`<p>${inLanguage(texts, note)}</p>`)}
${chart(
  scribe,
  {
    id: 'effect',
    label: t.effectLabel,
    categories: days.map(({ date }) => day(format, date)),
    percent: true,
    series: [
      { name: t.reminded, tone: 'good', type: 'line', values: days.map(reminded) },
      { name: t.others, tone: 'quiet', type: 'line', dashed: true, values: days.map(others) },
    ],
  },
  table(
    t.effectTitle,
    [
      { title: texts.frame.day, cell: ({ date }) => day(format, date) },
      { title: t.reminded, numeric: true, cell: (one) => percent(reminded(one)) },
      { title: t.others, numeric: true, cell: (one) => percent(others(one)) },
    ],
    [...days].reverse(),
    t.empty,
  ),
)}`
}

const STATES: Record<RunState, Tone> = {
  running: 'info',
  done: 'good',
  halted: 'bad',
  paused: 'warn',
  limited: 'warn',
  window_closed: 'warn',
  missed: 'bad',
}

function list({ texts, format, home }: Scribe, days: HistoryDay[]): Html {
  const t = texts.history
  return table(
    t.listTitle,
    [
      {
        title: texts.frame.day,
        cell: ({ date }) => html`<a href="${home}/errors?date=${date}">${day(format, date)}</a>`,
      },
      {
        title: t.state,
        cell: ({ state }) => (state === null ? t.noRun : badge(STATES[state], texts.today.states[state])),
      },
      { title: t.delivered, numeric: true, cell: (one) => format.number(one.delivered) },
      { title: t.failed, numeric: true, cell: (one) => format.number(one.failed) },
      { title: t.signedIn, numeric: true, cell: (one) => format.number(one.reminded_signed_in) },
    ],
    days.filter(({ state }) => state !== null).reverse(),
    t.empty,
  )
}
