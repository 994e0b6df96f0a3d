import { cpus, totalmem } from 'node:os'
import type { Knex } from 'knex'
import { selectRows } from '../src/db/sql.js'
import { type Figures, medianOf, NOTHING } from './rig/measure.js'
import type { Candidate } from './suites/suite.js'
import { type Standing, standingOf, type Target } from './targets.js'

export interface Machine {
  cpu: string
  memory_gb: number
  node: string
  database: string
}

/** What one run of the benchmark came to: all that its pages and charts are made of. */
export interface Section {
  machine: Machine
  date: string
  command: string
  rounds: number
  work: Work[]
  targets: Reached[]
}

export interface Work extends Figures {
  name: string
  unit: string
}

export interface Reached {
  name: string
  /** JSON has no NaN: a figure that was not measured is null. */
  figure: number | null
  floor: number
  aim: number
  standing: Standing
}

export async function machineOf(db: Knex): Promise<Machine> {
  const [row] = await selectRows<{ version: string }>(db, 'SELECT VERSION() AS version')
  return {
    cpu: `${cpus().length} x ${(cpus()[0]?.model ?? 'unknown').trim()}`,
    memory_gb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    database: nameOf(row?.version ?? 'unknown'),
  }
}

/** `10.11.19-MariaDB-0+deb12u1` is MariaDB 10.11.19. */
function nameOf(version: string): string {
  const [number = version] = version.split('-')
  return `${version.includes('MariaDB') ? 'MariaDB' : 'MySQL'} ${number}`
}

export function workOf(candidates: Candidate[], measured: Map<string, Figures[]>): Work[] {
  return candidates.map(({ name, unit }) => ({ name, unit, ...medianOf(measured.get(name) ?? [NOTHING]) }))
}

export function reachedOf(targets: Target[], work: Work[]): Reached[] {
  return targets.map((target) => {
    const figure = target.figure((name) => work.find((one) => one.name === name) ?? NOTHING)
    const { name, floor, aim } = target
    return {
      name,
      figure: Number.isNaN(figure) ? null : figure,
      floor,
      aim,
      standing: standingOf(target, figure),
    }
  })
}

/** A table as lines of padded columns, the first of them a name. */
export function asLines(rows: string[][]): string {
  const width = Math.max(...rows.map(([name = '']) => name.length)) + 2
  return rows
    .map(
      ([name = '', ...cells]) => `${name.padEnd(width)}${cells.map((cell) => cell.padStart(16)).join('')}\n`,
    )
    .join('')
}

/** The same rows in Markdown. */
export function asMarkdown([header = [], ...rows]: string[][]): string {
  const line = (cells: string[]): string => `| ${cells.join(' | ')} |\n`
  return [line(header), line(header.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('')
}

const SLOW = ['slow statements', 'slowest ms']
const LATENCIES = ['p50 ms', 'p99 ms']

/** The table of work. Columns that nobody has are left out. */
export function workRows(work: Work[]): string[][] {
  const latencies = work.some(({ p99_ms }) => p99_ms !== undefined)
  const slow = work.some(({ slow_statements }) => slow_statements !== undefined)
  return [
    [
      'work',
      'a second',
      'seconds',
      'node us',
      'database us',
      'MB',
      ...(latencies ? LATENCIES : []),
      ...(slow ? SLOW : []),
    ],
    ...work.map((one) => [
      `${one.name} (${one.unit})`,
      one.per_second.toFixed(0),
      one.seconds.toFixed(1),
      one.node_us.toFixed(0),
      one.database_us.toFixed(0),
      one.rss_mb.toFixed(0),
      ...(latencies ? [one.p50_ms?.toFixed(1) ?? '', one.p99_ms?.toFixed(1) ?? ''] : []),
      ...(slow ? [one.slow_statements?.toFixed(0) ?? '', one.slowest_ms?.toFixed(0) ?? ''] : []),
    ]),
  ]
}

export function targetRows(targets: Reached[]): string[][] {
  return [
    ['target', 'figure', 'floor', 'aim', 'reached'],
    ...targets
      .filter(({ standing }) => standing !== 'not measured')
      .map(({ name, figure, floor, aim, standing }) => [
        name,
        figure === null ? '–' : significant(figure),
        String(floor),
        String(aim),
        standing,
      ]),
  ]
}

export const significant = (figure: number): string =>
  Number.isNaN(figure) ? '–' : Math.abs(figure) >= 100 ? figure.toFixed(0) : figure.toPrecision(3)
