import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FaultStatus } from '../../src/sandbox/faults.js'
import type { SendRequest } from '../../src/sandbox/send-request.js'
import type { Cast } from './cast.js'
import { findViolations } from './check.js'
import { countStates, countSubmitted, findOvertaken, keepTables } from './finish.js'
import type { ChaosReport } from './options.js'
import { LEASE_MS } from './processes.js'

interface Past {
  requests: SendRequest[]
  faults: FaultStatus[]
  chaosMs: number
  startedAt: number
}

/** Compares the books of a run that is over, and keeps its tables and traces if anything is wrong. */
export async function writeReport(
  { stage, processes, uploader, submitter, endings, resume, counts, backends }: Cast,
  { requests, faults, chaosMs, startedAt }: Past,
): Promise<ChaosReport> {
  const { db, course, sandbox, folder, options } = stage
  const { channel, database, seed, faultRate, keep } = options
  const ledger = sandbox.control.ledger()
  if (ledger.length === 0) course.fail('WeChat delivered nothing')
  const { disturbances } = processes
  const overtaken = findOvertaken(folder)
  const evidence = { channel, ledger, requests, uploader, submitter, disturbances, overtaken }
  const { violations, unknown, submittedUnknown } = await findViolations(db, evidence, Date.now())
  violations.settled_twice.push(...(await endings.findSettledTwice(db)))
  const ok = course.trouble.length === 0 && Object.values(violations).every((rows) => rows.length === 0)
  const report: ChaosReport = {
    ok,
    channel,
    seed,
    database,
    processes: options.processes,
    fault_rate: faultRate,
    violations,
    trouble: course.trouble,
    ...processes.count,
    ...counts,
    killed_at: sortKeys(processes.killedAt),
    frozen_at: sortKeys(processes.frozenAt),
    messages: await countStates(db),
    ...(unknown ? { unknown } : {}),
    submitted: { ...submitter.counts, ...(await countSubmitted(db)) },
    ...(submittedUnknown ? { submitted_unknown: submittedUnknown } : {}),
    delivered_by_wechat: ledger.length,
    users: uploader.users,
    uploads: { stored: uploader.stored.size, duplicates: uploader.duplicates },
    calls: {
      made: backends.reduce((sum, { requests }) => sum + requests, 0),
      unanswered: backends.reduce((sum, { unanswered }) => sum + unanswered, 0),
    },
    faults: countFaults(faults),
    lease_ms: LEASE_MS,
    resume: resume.summary(),
    kills_per_minute: Math.round((processes.count.kills / chaosMs) * 600_000) / 10,
    seconds: Math.round((performance.now() - startedAt) / 100) / 10,
  }
  if (ok && !keep) return report
  const submitted = [...submitter.messages.values()]
  await keepTables(db, folder, { ledger, requests, disturbances, submitted })
  writeFileSync(join(folder, 'report.json'), JSON.stringify(report, null, 2))
  return { ...report, folder }
}

function countFaults(faults: FaultStatus[]): Record<string, number> {
  return Object.fromEntries(
    faults.map(({ kind, errcode, status, effect, struck }) => [
      [kind, errcode ?? status, effect].filter((word) => word !== undefined).join(' '),
      struck,
    ]),
  )
}

function sortKeys(counts: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)))
}
