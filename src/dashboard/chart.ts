import type { Tone } from './components.js'
import { Html, html } from './html.js'
import type { Scribe } from './reader.js'

export interface Series {
  name: string
  tone: Tone
  type: 'bar' | 'line'
  /** null: nothing is known. */
  values: (number | null)[]
  /** Series of one stack stand on each other. */
  stack?: string
  dashed?: true
  /** Filled down to the series below it, without a line of its own: the width of a band. */
  band?: true
  /** Takes part in a stack, and is not seen. */
  hidden?: true
}

export interface Chart {
  id: string
  /** What it shows, in words, for those who do not see it. */
  label: string
  categories: string[]
  series: Series[]
  /** Values are shares from 0 to 1. */
  percent?: true
}

/** A chart that a script draws, and the same numbers as a table for everybody else. */
export function chart({ format, texts }: Scribe, { id, label, ...data }: Chart, numbers: Html): Html {
  return html`<figure class="graph"><div class="chart" data-chart="${id}" role="img" aria-label="${label}"></div>
${Html.json(id, { ...data, locale: format.locale })}
<details><summary>${texts.frame.asTable}</summary>${numbers}</details></figure>`
}
