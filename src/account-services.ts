import { isDeepStrictEqual } from 'node:util'
import type { Account } from './account.js'
import { type AccountService, type AccountServiceDeps, openAccountService } from './account-service.js'
import { type Accounts, createAccounts } from './accounts.js'
import { createDatabaseShares } from './db/share.js'

/** The accounts of a process, which may change while it runs. */
export interface AccountServices {
  /** Those that are served at this moment. */
  readonly accounts: Accounts
  /** Throws `unknown_account`, and `invalid_request` where there are several and none is named. */
  of(appId?: string): AccountService
  startSchedules(): void
  /**
   * Starts accounts that are new, restarts those with other settings and stops those that are not there any more, all
   * at the same time; the others go on. An account that cannot be started is logged and left as it was. One change
   * waits for the one before it. Never rejects.
   */
  change(accounts: readonly Account[]): Promise<void>
  /** How many messages were given back so far. */
  givenBack(): number
  /** Starts no more runs, and finishes or gives back what is under way. No change is begun after it. */
  stopWork(): Promise<void>
  close(): Promise<void>
}

/** Opens those of `first`; if one cannot be opened, the others are closed again. */
export async function openAccountServices(
  given: Omit<AccountServiceDeps, 'shares'>,
  first: readonly Account[],
): Promise<AccountServices> {
  const { base, metrics } = given
  const services = new Map<string, AccountService>()
  const deps = { ...given, shares: createDatabaseShares(base.db, () => services.size > 1) }
  let current = createAccounts([])
  let hasStarted = false
  let isStopping = false
  let changing: Promise<void> = Promise.resolve()

  function serve(): void {
    current = createAccounts([...services.values()].map(({ account }) => account))
  }

  function find(appId?: string): AccountService {
    const service = services.get(current.of(appId).appId)
    if (!service) throw new Error('an account is served by nothing')
    return service
  }

  async function stop(appId: string, old: AccountService): Promise<void> {
    services.delete(appId)
    serve()
    await old.close()
    await metrics.forget(appId)
    base.log.info({ event: 'account.stopped', app_id: appId, given_back: old.givenBack() })
  }

  /** Calls find the new settings at once; the schedule waits until the old one has given back what it had. */
  async function start(account: Account, old: AccountService | undefined): Promise<void> {
    const { appId: app_id } = account
    const opened = await openAccountService(deps, account)
    services.set(app_id, opened)
    serve()
    await old?.close()
    if (hasStarted && !isStopping) opened.startSchedule()
    base.log.info({ event: old ? 'account.restarted' : 'account.started', app_id })
  }

  async function changeTo(appId: string, account: Account | undefined): Promise<void> {
    const old = services.get(appId)
    try {
      if (isStopping) return
      if (!account) await (old && stop(appId, old))
      else if (!isDeepStrictEqual(account, old?.account)) await start(account, old)
    } catch (error) {
      base.log.error(
        { event: 'account.change_failed', app_id: appId, err: error },
        'the account is as it was; send SIGHUP again',
      )
    }
  }

  async function changeAll(accounts: readonly Account[]): Promise<void> {
    const wanted = new Map(accounts.map((account) => [account.appId, account]))
    const appIds = new Set([...services.keys(), ...wanted.keys()])
    await Promise.all([...appIds].map((appId) => changeTo(appId, wanted.get(appId))))
    sortLike([...wanted.keys()])
  }

  /** As the settings list them: the first one is what the pages show first. */
  function sortLike(order: string[]): void {
    const sorted = [...services].sort(([a], [b]) => order.indexOf(a) - order.indexOf(b))
    services.clear()
    for (const [appId, service] of sorted) services.set(appId, service)
    serve()
  }

  const all = (act: (service: AccountService) => Promise<void>): Promise<unknown> =>
    Promise.all([...services.values()].map(act))

  async function close(): Promise<void> {
    await changing
    await all((service) => service.close())
  }

  try {
    for (const account of first) services.set(account.appId, await openAccountService(deps, account))
    serve()
  } catch (error) {
    await close()
    throw error
  }
  return {
    accounts: {
      get all() {
        return current.all
      },
      of: (appId) => current.of(appId),
    },
    of: find,
    startSchedules() {
      hasStarted = true
      for (const service of services.values()) service.startSchedule()
    },
    change(accounts) {
      changing = changing.then(() => changeAll(accounts))
      return changing
    },
    givenBack: () => [...services.values()].reduce((sum, service) => sum + service.givenBack(), 0),
    async stopWork() {
      isStopping = true
      await Promise.all([changing, all((service) => service.stopWork())])
    },
    close,
  }
}
