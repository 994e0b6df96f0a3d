import type { Knex } from 'knex'
import { ServiceError } from '../errors.js'
import { isoTime } from '../lib/iso-time.js'
import type { UserId } from '../lib/user-id.js'
import { findPersons } from '../users/store.js'
import { errcodeJson } from './json.js'
import { findUsersOfGiver } from './permit-store.js'
import type { PersonRow } from './person-store.js'
import type { Stop } from './schemas.js'

/** Permits of an open_id that are looked at for their users. */
const MAX_LOOKS = 1_000

/**
 * The users of an open_id: the one that it is bound to, or else those who have permits that it gave. An open_id
 * without a binding may have several in tables that are older than this service. Throws `not_found` if there is none.
 */
export async function findUsersOf(db: Knex, appId: string, openId: string): Promise<UserId[]> {
  const [person] = await findPersons(db, appId, [openId])
  if (person && person.userId !== null) return [person.userId]
  const users = await findUsersOfGiver(db, appId, openId, MAX_LOOKS)
  if (users.length === 0) throw new ServiceError('not_found', 'This open_id has no user')
  return users
}

/** What keeps messages from a person now. The code on record stands for the block if there is one. */
export function stopsOf(person: PersonRow): Stop[] {
  const { open_id, opted_out_at, blocked_at, stop_errcode, stop_message_id, stop_template_id } = person
  const stops: Stop[] = []
  const cause = { answer: errcodeJson(stop_errcode), message_id: stop_message_id }
  if (blocked_at !== null)
    stops.push({ open_id, kind: 'blocked', since_at: isoTime(blocked_at), template_id: null, ...cause })
  if (opted_out_at !== null) {
    const own = blocked_at === null ? cause : { answer: null, message_id: null }
    stops.push({
      open_id,
      kind: 'opted_out',
      since_at: isoTime(opted_out_at),
      template_id: stop_template_id,
      ...own,
    })
  }
  return stops
}
