import type { UserId } from '../lib/user-id.js'

/** The people to stop, or to bring back: all open_ids of a user, or one of them. */
export type Named = { appId: string } & ({ userId: UserId } | { openId: string })

/** The condition on wx_user that is true of them. */
export function isNamed(named: Named): { sql: string; bindings: (string | UserId)[] } {
  return 'userId' in named
    ? { sql: 'app_id = ? AND user_id = ?', bindings: [named.appId, named.userId] }
    : { sql: 'app_id = ? AND open_id = ?', bindings: [named.appId, named.openId] }
}
