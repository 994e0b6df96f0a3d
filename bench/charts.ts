import type { Section } from './report.js'

/** Bars for the candidates of one kind of work, as SVG of our own: the page needs no script and no library. */

export interface Chart {
  file: string
  title: string
  unit: string
  candidates: string[]
}

export const CHARTS: Chart[] = [
  {
    file: 'daily-run.svg',
    title: 'Daily run, WeChat answers at once',
    unit: 'users a second',
    candidates: [
      'raw dispatch, 0 ms',
      'daily run, 0 ms',
      'article unbounded, 0 ms',
      'article sequential, 0 ms',
      'BullMQ, 0 ms',
      'BullMQ with bookkeeping, 0 ms',
    ],
  },
  {
    file: 'daily-run-50-ms.svg',
    title: 'Daily run, WeChat answers after 50 ms, 512 at once',
    unit: 'users a second',
    candidates: ['raw dispatch, 50 ms', 'daily run, 50 ms'],
  },
  {
    file: 'processes.svg',
    title: 'Daily run by several processes, 50 ms, 64 at once each',
    unit: 'users a second',
    candidates: ['daily run, 1 process', 'daily run, 2 processes', 'daily run, 4 processes'],
  },
  {
    file: 'uploads.svg',
    title: 'Uploads over 64 connections',
    unit: 'form_ids a second',
    candidates: ['bare Fastify', 'uploads', 'uploads by 100', 'uploads beside the sweep', 'article uploads'],
  },
  {
    file: 'sweep.svg',
    title: 'Sweep of permits that have run out',
    unit: 'permits a second',
    candidates: ['sweep', 'sweep in one transaction', 'article sweep'],
  },
  {
    file: 'sqlite.svg',
    title: 'SQLite beside the database server',
    unit: 'users or form_ids a second',
    candidates: ['daily run on SQLite', 'daily run, 0 ms', 'uploads on SQLite', 'uploads'],
  },
]

/** Those that only others do; the rest is this service. */
const OTHERS = /^(raw dispatch|article|BullMQ|bare Fastify|sweep in one transaction)/

const WIDTH = 760
const LABEL = 236
const VALUE = 80
const BAR = 22
const STEP = 32
const TOP = 58

/** Light and dark, as the reader's system asks: an image in a page has no other way to know. */
const STYLE = `text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 } .small { font-size: 11px; fill: #59636e }
.ours { fill: #0969da } .other { fill: #afb8c1 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .small { fill: #9198a1 } .ours { fill: #4493f8 } .other { fill: #57606a }
}`

/** The chart of what was measured of its candidates. */
export function drawChart({ title, unit, candidates }: Chart, section: Section): string {
  const bars = candidates.flatMap((name) => section.work.filter((one) => one.name === name))
  const most = Math.max(...bars.map(({ per_second }) => per_second))
  const height = TOP + bars.length * STEP + 26
  const lines = bars.map(({ name, per_second }, i) => {
    const y = TOP + i * STEP
    const length = Math.max(1, Math.round((per_second / most) * (WIDTH - LABEL - VALUE)))
    const middle = y + BAR / 2 + 4
    return `<text x="${LABEL - 10}" y="${middle}" text-anchor="end">${escaped(name)}</text>
<rect class="${OTHERS.test(name) ? 'other' : 'ours'}" x="${LABEL}" y="${y}" width="${length}" height="${BAR}" rx="2"/>
<text x="${LABEL + length + 8}" y="${middle}">${thousands(per_second)}</text>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
<text class="title" x="16" y="26">${escaped(title)}</text>
<text class="small" x="16" y="44">${escaped(unit)}; blue is this service</text>
${lines.join('\n')}
<text class="small" x="16" y="${height - 10}">${escaped(captionOf(section))}</text>
</svg>
`
}

/** Which machine measured it, with what, when, and by which command. */
export function captionOf({ machine, date, command }: Section): string {
  const { cpu, memory_gb, node, database } = machine
  return `${cpu}, ${memory_gb} GB; Node ${node.replace(/^v/, '')}, ${database}; ${date}; ${command}`
}

export const thousands = (figure: number): string =>
  String(Math.round(figure)).replace(/\B(?=(\d{3})+$)/g, ',')

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
