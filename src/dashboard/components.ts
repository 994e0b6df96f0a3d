import { type Html, html, type Part } from './html.js'
import { type IconName, icon } from './icons.js'

/** How something stands. Said by colour, by an icon and in words, never by colour alone. */
export type Tone = 'good' | 'warn' | 'bad' | 'info' | 'quiet'

const ICONS: Record<Tone, IconName> = {
  good: 'ok',
  warn: 'errors',
  bad: 'stop',
  info: 'running',
  quiet: 'wait',
}

export function badge(tone: Tone, words: string, symbol: IconName = ICONS[tone]): Html {
  return html`<span class="badge ${tone}">${icon(symbol)}${words}</span>`
}

/** Heading of a page. */
export function pageHead(title: string, lead?: Part): Html {
  return html`<div class="head"><h1>${title}</h1>${lead && html`<p>${lead}</p>`}</div>`
}

/** A titled part of a page. */
export function panel(title: string, body: Part, extra: { note?: Part; kind?: string } = {}): Html {
  return html`<section class="panel ${extra.kind}"><h2>${title}</h2>${extra.note && html`<p class="note">${extra.note}</p>`}${body}</section>`
}

/** Something to know or to do, with its reason. */
export function callout(tone: Tone, title: string, body: Part): Html {
  const symbol = tone === 'info' ? 'info' : ICONS[tone]
  return html`<div class="callout ${tone}">${icon(symbol)}<div><strong>${title}</strong>${body}</div></div>`
}

export interface Figure {
  label: string
  value: Part
  tone?: Tone
  note?: Part
}

/** Numbers side by side. */
export function figures(list: Figure[]): Html {
  return html`<dl class="figures">${list.map(
    ({ label, value, tone, note }) =>
      html`<div class="${tone}"><dt>${label}</dt><dd>${value}${note && html`<small>${note}</small>`}</dd></div>`,
  )}</dl>`
}

/** Names and what they are. */
export function facts(list: [name: Part, value: Part][]): Html {
  return html`<dl class="facts">${list.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`
}

export interface Share {
  label: string
  value: number
  tone: Tone
}

/** One bar in parts. The numbers stand beside it, so it is left out for those who do not see it. */
export function bar(shares: Share[], total: number): Html {
  let at = 0
  const rects = shares
    .filter(({ value }) => value > 0)
    .map(({ value, tone }) => {
      const width = total === 0 ? 0 : (value / total) * 100
      const rect = html`<rect class="${tone}" x="${at.toFixed(3)}%" y="0" width="${width.toFixed(3)}%" height="100%"/>`
      at += width
      return rect
    })
  return html`<svg class="bar" aria-hidden="true" focusable="false">${rects}</svg>`
}

export interface Column<Row> {
  title: string
  cell(row: Row): Part
  /** Digits stand under digits. */
  numeric?: boolean
  /** Sentences: on a phone the table scrolls rather than break each of their words. */
  wide?: boolean
  /** A time: never broken. */
  whole?: boolean
}

export function table<Row>(
  caption: string,
  columns: Column<Row>[],
  rows: readonly Row[],
  empty: string,
): Html {
  if (rows.length === 0) return html`<p class="empty">${empty}</p>`
  const kind = ({ numeric, wide, whole }: Column<Row>) => {
    const name = numeric ? 'num' : wide ? 'wide' : whole && 'whole'
    return name && html` class="${name}"`
  }
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table><caption>${caption}</caption>
<thead><tr>${columns.map((column) => html`<th scope="col"${kind(column)}>${column.title}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${columns.map((column) => html`<td${kind(column)}>${column.cell(row)}</td>`)}</tr>`)}</tbody></table></div>`
}

/** Links side by side, one of which is where the reader is. */
export function tabs(label: string, links: { title: string; href: string; current: boolean }[]): Html {
  return html`<nav class="tabs" aria-label="${label}"><ul>${links.map(
    ({ title, href, current }) =>
      html`<li><a href="${href}"${current && html` aria-current="true"`}>${title}</a></li>`,
  )}</ul></nav>`
}

export function linkButton(href: string, words: string, kind: 'main' | 'other' = 'other'): Html {
  return html`<a class="button ${kind}" href="${href}">${words}</a>`
}

/** A field of a form that filters: one of some values, or all. One that is chosen is there even if it is none of them. */
export function choice(
  id: string,
  label: string,
  all: string,
  values: readonly string[],
  chosen: string,
  nameOf: (value: string) => string = (value) => value,
): Html {
  const known = chosen === '' || values.includes(chosen) ? values : [...values, chosen]
  return html`<div class="field"><label for="${id}">${label}</label><select id="${id}" name="${id}"><option value="">${all}</option>${known.map(
    (value) => html`<option value="${value}"${value === chosen && html` selected`}>${nameOf(value)}</option>`,
  )}</select></div>`
}
