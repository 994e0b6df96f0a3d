import type { Knex } from 'knex'
import { inTransaction } from '../db/transaction.js'
import { lockRun } from '../runs/occurrences.js'
import { addOutcomes } from '../runs/outcomes.js'
import { countTotals } from '../runs/totals.js'
import { findWrongOutcomes, type WrongOutcome } from './outcome-store.js'

const MAX_OUTCOMES = 1_000

/**
 * Makes the outcomes of runs those of their messages, and the totals of an ended run with them. What differs is added
 * or taken away, rather than written down: whoever claims or settles meanwhile adds to both sides alike. Returns how
 * many runs were wrong.
 */
export async function recountOutcomes(db: Knex, since: number, appId?: string): Promise<number> {
  const wrong = await findWrongOutcomes(db, { since, appId }, MAX_OUTCOMES)
  const runIds = [...new Set(wrong.map(({ run_id }) => run_id))]
  for (const runId of runIds)
    await inTransaction(db, async (trx) => {
      const run = await lockRun(trx, runId)
      const changes = (await findWrongOutcomes(trx, { runId }, MAX_OUTCOMES)).map(correctionOf)
      await addOutcomes(trx, changes, null)
      if (run && run.state !== 'running') await countTotals(trx, runId)
    })
  return runIds.length
}

function correctionOf({ run_id, outcome, errcode, cause, template_id, counted, messages }: WrongOutcome) {
  return {
    runId: run_id,
    outcome,
    errcode,
    cause,
    templateId: template_id,
    messages: messages - counted,
  }
}
