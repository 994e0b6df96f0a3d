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
