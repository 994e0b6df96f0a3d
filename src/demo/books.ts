import { audit } from '../operations/audit.js'
import type { SandboxControl } from '../sandbox/control.js'
import type { DemoApp } from './app.js'
import { findDelivered } from './store.js'

/** The tables of all apps compared with the ledger of the simulated WeChat. */
export interface Books {
  ours: number
  theirs: number
  repeated: number
  answersLost: number
  /** Messages that only one of the books has: form_id or msgid, and receiver, are compared one by one. */
  differences: number
  auditOk: boolean
  agree: boolean
}

const PAGE = 1_000

export async function compareBooks(apps: DemoApp[], wechat: SandboxControl, now: number): Promise<Books> {
  const ours = new Set<string>()
  let auditOk = true
  for (const { account, service } of apps) {
    const { db } = service.of().sending
    for (const { open_id, form_id, msgid } of await findDelivered(db, account.appId))
      ours.add(`${open_id} ${account.channel === 'form_id' ? form_id : msgid}`)
    auditOk &&= (await audit(db, now, false)).ok
  }
  const theirs = new Set(readLedger(wechat))
  const { delivered, unanswered, repeated } = wechat.summary()
  const differences =
    [...ours].filter((key) => !theirs.has(key)).length + [...theirs].filter((key) => !ours.has(key)).length
  return {
    ours: ours.size,
    theirs: delivered,
    repeated,
    answersLost: unanswered,
    differences,
    auditOk,
    agree: auditOk && differences === 0 && repeated === 0 && ours.size === delivered,
  }
}

function readLedger(wechat: SandboxControl): string[] {
  const keys: string[] = []
  let after = 0
  for (;;) {
    const page = wechat.ledger({ after, limit: PAGE })
    const last = page.at(-1)
    if (!last) return keys
    keys.push(...page.map(({ open_id, form_id, msgid }) => `${open_id} ${form_id ?? msgid}`))
    after = last.seq
  }
}
