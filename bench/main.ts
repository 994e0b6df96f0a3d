import { cpus, totalmem } from 'node:os'
import { SingleBar } from 'cli-progress'
import { Command } from 'commander'
import { selectRows } from '../src/db/sql.js'
import { createBenchDatabase } from './rig/database.js'
import type { Figures } from './rig/measure.js'
import { median } from './rig/stat.js'
import { CANDIDATES, type Candidate, FULL, QUICK, type Rig } from './suites.js'
import { type Medians, standingOf, TARGETS } from './targets.js'

/**
 * Runs every candidate in every round, one after the other, so that a slow minute of the machine meets all of them; prints
 * the medians, and each target beside its figure.
 */
const program = new Command('bench')
  .description('this service beside others, on databases of their own')
  .option('--quick', 'little work and one round: figures to look at, not to rely on', false)
  .option('--rounds <n>', 'how often each candidate runs', '3')
  .option('--only <words>', 'candidates whose name has this in it')
  .option('--json', 'one JSON object on stdout', false)

interface Options {
  quick: boolean
  rounds: string
  only?: string
  json: boolean
}

async function main({ quick, only, json, ...options }: Options): Promise<void> {
  const rounds = quick ? 1 : Number(options.rounds)
  const candidates = CANDIDATES.filter(({ name }) => only === undefined || name.includes(only))
  const [mysql, sqlite] = [await createBenchDatabase('mysql'), await createBenchDatabase('sqlite')]
  const rig: Rig = { mysql, sqlite, scale: quick ? QUICK : FULL }
  try {
    const medians = await runAll(rig, candidates, rounds)
    const targets = TARGETS.map((target) => {
      const figure = target.figure((name) => medians.get(name) ?? NOTHING)
      return {
        name: target.name,
        figure,
        floor: target.floor,
        aim: target.aim,
        standing: standingOf(target, figure),
      }
    })
    const [row] = await selectRows<{ version: string }>(mysql.db, 'SELECT VERSION() AS version')
    const machine = {
      cpu: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`,
      memory_gb: Math.round(totalmem() / 2 ** 30),
      node: process.version,
      database: row?.version ?? 'unknown',
    }
    const work = candidates.map(({ name, unit }) => ({ name, unit, ...(medians.get(name) ?? NOTHING) }))
    if (json) process.stdout.write(`${JSON.stringify({ machine, rounds, work, targets })}\n`)
    else
      print(
        work,
        targets.filter(({ standing }) => standing !== 'not measured'),
      )
  } finally {
    await Promise.all([mysql.close(), sqlite.close()])
  }
}

const NOTHING: Figures = {
  done: 0,
  seconds: Number.NaN,
  per_second: Number.NaN,
  node_us: Number.NaN,
  database_us: Number.NaN,
  rss_mb: Number.NaN,
}

async function runAll(rig: Rig, candidates: Candidate[], rounds: number): Promise<Medians> {
  const bar = new SingleBar({ format: '{bar} {value}/{total} {name}', hideCursor: true, noTTYOutput: false })
  const measured = new Map<string, Figures[]>()
  if (process.stderr.isTTY) bar.start(rounds * candidates.length, 0, { name: '' })
  for (let round = 0; round < rounds; round++) {
    for (const candidate of candidates) {
      bar.update({ name: candidate.name })
      measured.set(candidate.name, [...(measured.get(candidate.name) ?? []), await candidate.run(rig)])
      bar.increment()
    }
  }
  bar.stop()
  return new Map([...measured].map(([name, figures]) => [name, medianOf(figures)]))
}

function medianOf(figures: Figures[]): Figures {
  const of = (key: keyof Figures): number => median(figures.map((one) => one[key] ?? Number.NaN))
  const latencies = figures.some(({ p99_ms }) => p99_ms !== undefined)
  return {
    done: of('done'),
    seconds: of('seconds'),
    per_second: of('per_second'),
    node_us: of('node_us'),
    database_us: of('database_us'),
    rss_mb: of('rss_mb'),
    ...(latencies ? { p50_ms: of('p50_ms'), p99_ms: of('p99_ms') } : {}),
  }
}

function print(
  work: ({ name: string; unit: string } & Figures)[],
  targets: { name: string; figure: number; floor: number; aim: number; standing: string }[],
): void {
  const lines = [
    ['work', 'a second', 'node us', 'database us', 'MB', 'p50 ms', 'p99 ms'],
    ...work.map((one) => [
      `${one.name} (${one.unit})`,
      one.per_second.toFixed(0),
      one.node_us.toFixed(0),
      one.database_us.toFixed(0),
      one.rss_mb.toFixed(0),
      one.p50_ms?.toFixed(1) ?? '',
      one.p99_ms?.toFixed(1) ?? '',
    ]),
    [],
    ['target', 'figure', 'floor', 'aim', ''],
    ...targets.map(({ name, figure, floor, aim, standing }) => [
      name,
      Number.isNaN(figure) ? '–' : figure.toPrecision(3),
      String(floor),
      String(aim),
      standing,
    ]),
  ]
  for (const [name = '', ...cells] of lines)
    process.stdout.write(`${name.padEnd(44)}${cells.map((cell) => cell.padStart(14)).join('')}\n`)
}

program.action((options: Options) => main(options))
await program.parseAsync()
