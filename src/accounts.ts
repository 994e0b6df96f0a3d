import type { Account } from './account.js'
import { ServiceError } from './errors.js'

/** The accounts that this process serves. */
export interface Accounts {
  readonly all: readonly Account[]
  /**
   * The account of that app_id, or the only one if none is named. Throws `unknown_account`, or `invalid_request` where
   * there are several and none is named.
   */
  of(appId: string | undefined): Account
}

export function createAccounts(all: readonly Account[]): Accounts {
  const byAppId = new Map(all.map((account) => [account.appId, account]))
  return {
    all,
    of(appId) {
      if (appId === undefined) {
        const [only, ...others] = all
        if (only && others.length === 0) return only
        throw new ServiceError('invalid_request', 'Several accounts are served here: name one with app_id', {
          field: 'app_id',
        })
      }
      const found = byAppId.get(appId)
      if (!found)
        throw new ServiceError('unknown_account', `No account ${appId} is served here: look at app_id`)
      return found
    },
  }
}
