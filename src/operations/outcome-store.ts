import type { Knex } from 'knex'
import { mysqlHint, ofAccount, scanRows } from '../db/sql.js'
import { CAUSE_OF_MESSAGE } from '../messages/cause.js'
import type { Outcome } from '../runs/outcomes.js'

export interface WrongOutcome {
  run_id: number
  outcome: Outcome
  /** 0 = none, as in the table. */
  errcode: number
  cause: string
  template_id: string
  /** By wx_run_outcome. */
  counted: number
  /** By wx_push_message. */
  messages: number
}

/** Which of the daily runs are looked at: those started after a moment (ms), of one account or of all; or one run. */
export type RunsLookedAt = { since: number; appId?: string | undefined } | { runId: number }

/**
 * Rule: the outcomes of a run are those of its messages. Attempts are not compared: messages do not keep each of them.
 * Both sides are read in one statement, and so at one moment, so that a run at work is right too. Its messages are read
 * once, and each counts as claimed (1), in its state (2), and as reported (3).
 */
export function findWrongOutcomes(db: Knex, runs: RunsLookedAt, limit: number): Promise<WrongOutcome[]> {
  const one = ofAccount('r.app_id', 'since' in runs ? runs.appId : undefined)
  const [condition, value] = 'since' in runs ? ['r.started_at > ?', runs.since] : ['r.id = ?', runs.runId]
  const isRun = `r.job = 'remind' AND ${one.sql} AND ${condition}`
  const inState = (then: string, otherwise: string): string =>
    `CASE WHEN way = 2 THEN ${then} ELSE ${otherwise} END`
  return scanRows<WrongOutcome>(
    db,
    `SELECT run_id, outcome, errcode, cause, template_id, CAST(SUM(counted) AS SIGNED) AS counted,
       CAST(SUM(messages) AS SIGNED) AS messages
     FROM (
       SELECT o.run_id, o.outcome, o.errcode,
         CASE WHEN o.outcome = 'reported' AND o.cause <> 'success' THEN 'failed' ELSE o.cause END AS cause,
         o.template_id, o.messages AS counted, 0 AS messages
       FROM wx_job_run r JOIN wx_run_outcome o ON o.run_id = r.id
       WHERE ${isRun} AND o.outcome NOT IN ('retried', 'next_permit')
       UNION ALL
       SELECT run_id, CASE way WHEN 1 THEN 'claimed' WHEN 2 THEN state ELSE 'reported' END,
         ${inState("CASE state WHEN 'waiting' THEN 0 ELSE errcode END", '0')},
         ${inState("CASE state WHEN 'waiting' THEN '' ELSE cause END", "CASE way WHEN 3 THEN report ELSE '' END")},
         CASE WHEN way = 1 OR way = 2 AND state = 'waiting' THEN '' ELSE template_id END, 0, messages
       FROM (
         SELECT m.run_id, CASE m.state WHEN 'retry' THEN 'waiting' ELSE m.state END AS state,
           COALESCE(m.errcode, 0) AS errcode, ${CAUSE_OF_MESSAGE} AS cause, c.template_id,
           CASE WHEN m.delivery_status IS NULL THEN NULL WHEN m.delivery_status = 'success' THEN 'success'
             ELSE 'failed' END AS report, COUNT(*) AS messages
         FROM wx_job_run r
         JOIN wx_push_message m${mysqlHint(db, 'FORCE INDEX (wx_push_message_run_idx)')} ON m.run_id = r.id
         JOIN wx_card c ON c.id = m.card_id WHERE ${isRun}
         GROUP BY 1, 2, 3, 4, 5, 6) AS alike
       JOIN (SELECT 1 AS way UNION ALL SELECT 2 UNION ALL SELECT 3) AS ways
         ON way = 1 OR way = 2 AND state NOT IN ('queued', 'sending') OR way = 3 AND report IS NOT NULL
     ) AS both_sides
     GROUP BY run_id, outcome, errcode, cause, template_id HAVING SUM(counted) <> SUM(messages)
     ORDER BY run_id, outcome, errcode, cause, template_id LIMIT ?`,
    [...one.bindings, value, ...one.bindings, value, limit],
  )
}
