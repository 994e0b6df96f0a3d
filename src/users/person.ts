import type { UserId } from '../lib/user-id.js'

/** One person in one account, as WeChat knows them. */
export interface PersonKey {
  appId: string
  openId: string
}

/** A person who is bound to one of the owner's users. */
export interface BoundPerson extends PersonKey {
  userId: UserId
}

/** The person alone, where naming the user too would mean all open_ids of the user. */
export function keyOf({ appId, openId }: PersonKey): PersonKey {
  return { appId, openId }
}
