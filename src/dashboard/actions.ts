import type { FastifyRequest } from 'fastify'
import type { Knex } from 'knex'
import { addressOf } from '../http/failures.js'
import { messageOf } from '../lib/message-of.js'
import { redact } from '../lib/redact.js'
import type { Action } from './action.js'
import { endAction, insertAction } from './action-store.js'

const MAX_NOTE = 500

/** What an operator does, and with what: numbers and days only, no secrets, no open_ids. */
export interface Act {
  action: Action
  who: string
  details: Record<string, string | number | boolean | null>
}

/**
 * Does what an operator asked for, with a line in the log of actions that is written before it and completed after
 * it. Without the line nothing is done. `work` may answer what came of it.
 */
export async function onRecord<Result>(
  { db, appId, now }: { db: Knex; appId: string; now(): number },
  request: FastifyRequest,
  { action, who, details }: Act,
  work: () => Promise<{ note?: string; result: Result }>,
): Promise<Result> {
  const id = await insertAction(db, {
    appId,
    at: now(),
    who,
    from: networkOf(addressOf(request)),
    action,
    details,
  })
  const end = (outcome: 'done' | 'failed', note: string | undefined) =>
    endAction(db, id, { outcome, note: note?.slice(0, MAX_NOTE) ?? null, at: now() })
  try {
    const { note, result } = await work()
    await end('done', note)
    return result
  } catch (error) {
    await end('failed', redact(messageOf(error)))
    throw error
  }
}

/** Enough to tell the office from elsewhere, too little to name a person. IPv6 addresses come as their /64. */
function networkOf(address: string): string {
  return address.replace(/^(\d+\.\d+\.\d+)\.\d+$/, '$1.x')
}
