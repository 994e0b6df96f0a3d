import type { FastifyRequest } from 'fastify'
import type { Account } from '../account.js'
import type { DashboardDeps } from './deps.js'
import { homeOf } from './layout.js'
import { createLive, type Live } from './live.js'
import { createPlanner } from './planner.js'
import type { Language } from './preferences.js'
import { createScribes, type Scribe } from './reader.js'
import { dayStateOf, findToday } from './today.js'
import { liveParts } from './today-live.js'

/** What the pages of one account keep between requests. */
export interface AccountPages {
  account: Account
  scribes: Record<Language, Scribe>
  live: Live
  planner: ReturnType<typeof createPlanner>
}

export interface AllPages {
  /** Those of the account that the address names; otherwise of the first. */
  of(request: FastifyRequest): AccountPages
  /** Ends all that is live; for the stop of the service. */
  close(): void
}

/** Kept until an account has other settings or another address. */
export function createAccountPages(deps: DashboardDeps): AllPages {
  const { accounts } = deps
  const kept = new Map<string, AccountPages>()

  function pagesOf(account: Account): AccountPages {
    const { appId } = account
    const home = homeOf(appId, accounts.all.length === 1)
    const known = kept.get(appId)
    if (known?.account === account && known.scribes.en.home === home) return known
    known?.live.close()
    const pages = openPages(deps, account, home)
    kept.set(appId, pages)
    return pages
  }

  return {
    of(request) {
      const { app_id } = (request.params ?? {}) as { app_id?: string }
      const account = accounts.all.find(({ appId }) => appId === app_id) ?? accounts.all[0]
      if (!account) throw new Error('There is no account')
      return pagesOf(account)
    },
    close() {
      for (const { live } of kept.values()) live.close()
    },
  }
}

function openPages({ db, accounts, log, now }: DashboardDeps, account: Account, home: string): AccountPages {
  const scribes = createScribes(account, home)
  const live = createLive({
    async draw() {
      // It has other settings now, or is gone: who looks at it connects again, or is told.
      if (!accounts.all.includes(account)) live.close()
      const today = await findToday(db, account, now())
      const state = dayStateOf(account, today)
      const drawn = (scribe: Scribe) => {
        const { answer, details } = liveParts(scribe, today)
        return { state, parts: { answer: answer.toString(), details: details.toString() } }
      }
      return { en: drawn(scribes.en), zh: drawn(scribes.zh) }
    },
    appId: account.appId,
    log,
    now,
  })
  return { account, scribes, live, planner: createPlanner(db, account, now) }
}
