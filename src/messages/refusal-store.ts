import type { Knex } from 'knex'
import { selectRows } from '../db/sql.js'
import { errcodeOf } from '../wechat/errcodes.js'

export interface RefusedMessage {
  id: number
  open_id: string
}

/**
 * Finds the messages of a run that were answered with a code that stops a person. Each page reads `limit` messages of
 * any kind, so that its cost is bounded whatever it finds. Uses wx_push_message_run_idx, which ends with the id.
 */
export async function findRefusals(
  db: Knex,
  runId: number,
  { after, since, limit }: { after: number; since: number; limit: number },
): Promise<{ refusals: RefusedMessage[]; next: number | undefined }> {
  const rows = await selectRows<{
    id: number
    open_id: string | null
    errcode: number | null
    settled_at: number
  }>(
    db,
    `SELECT m.id, COALESCE(m.open_id, f.open_id) AS open_id, m.errcode, m.settled_at
     FROM wx_push_message m LEFT JOIN wx_save_form_id f ON f.id = m.permit_id
     WHERE m.run_id = ? AND m.id > ? ORDER BY m.id LIMIT ?`,
    [runId, after, limit],
  )
  return {
    refusals: rows.flatMap(({ id, open_id, errcode, settled_at }) =>
      open_id !== null && errcode !== null && errcodeOf(errcode).stops !== undefined && settled_at >= since
        ? [{ id, open_id }]
        : [],
    ),
    next: rows.length < limit ? undefined : rows.at(-1)?.id,
  }
}
