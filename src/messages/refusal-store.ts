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
  const rows = await selectRows<RefusedMessage & { errcode: number | null; settled_at: number | null }>(
    db,
    `SELECT id, open_id, errcode, settled_at FROM wx_push_message WHERE run_id = ? AND id > ? ORDER BY id LIMIT ?`,
    [runId, after, limit],
  )
  return {
    refusals: rows.filter(
      ({ errcode, settled_at }) =>
        errcode !== null && errcodeOf(errcode).stops !== undefined && (settled_at ?? 0) >= since,
    ),
    next: rows.length < limit ? undefined : rows.at(-1)?.id,
  }
}
