import type { Knex } from 'knex'
import { selectRows } from '../db/sql.js'
import { audit } from '../operations/audit.js'
import type { SandboxControl } from '../sandbox/control.js'

/** Our tables compared with the ledger of the simulated WeChat. */
export interface Books {
  ours: number
  theirs: number
  repeated: number
  answersLost: number
  /** Messages that only one of the books has: form_id and receiver are compared one by one. */
  differences: number
  auditOk: boolean
  agree: boolean
}

const PAGE = 1_000

export async function compareBooks(db: Knex, wechat: SandboxControl, now: number): Promise<Books> {
  const rows = await selectRows<{ form_id: string; open_id: string }>(
    db,
    `SELECT f.form_id, f.open_id FROM wx_push_message m JOIN wx_save_form_id f ON f.id = m.permit_id
     WHERE m.state = 'delivered'`,
  )
  const ours = new Set(rows.map((row) => `${row.open_id} ${row.form_id}`))
  const theirs = new Set(readLedger(wechat))
  const { delivered, unanswered, repeated } = wechat.summary()
  const differences =
    [...ours].filter((key) => !theirs.has(key)).length + [...theirs].filter((key) => !ours.has(key)).length
  const { ok: auditOk } = await audit(db, now, false)
  return {
    ours: rows.length,
    theirs: delivered,
    repeated,
    answersLost: unanswered,
    differences,
    auditOk,
    agree: auditOk && differences === 0 && repeated === 0 && rows.length === delivered,
  }
}

function readLedger(wechat: SandboxControl): string[] {
  const keys: string[] = []
  let after = 0
  for (;;) {
    const page = wechat.ledger({ after, limit: PAGE })
    const last = page.at(-1)
    if (!last) return keys
    keys.push(...page.map((delivery) => `${delivery.open_id} ${delivery.form_id}`))
    after = last.seq
  }
}
