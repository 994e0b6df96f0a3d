import { type AccountOptions, Accounts, DEMO_ACCOUNT } from './accounts.js'
import { Bans } from './bans.js'
import { BOUNDS, type Bounds } from './bounds.js'
import type { Call } from './call.js'
import { CallCounts } from './call-counts.js'
import { Clock, MINUTE } from './clock.js'
import { ConcurrentSends } from './concurrent-sends.js'
import { Faults } from './faults.js'
import { FormIds } from './form-ids.js'
import { KeptChoices } from './kept-choices.js'
import { Ledger } from './ledger.js'
import { type AnyLoginCode, Logins } from './logins.js'
import { People } from './people.js'
import { Pushes } from './pushes.js'
import { Quotas } from './quotas.js'
import { Recent } from './recent.js'
import { SendFrequency } from './send-frequency.js'
import { type SendRequest, toSendRequest } from './send-request.js'
import { Tokens } from './tokens.js'
import { Users } from './users.js'

export interface WorldOptions {
  /** The time in ms; default: the machine's clock. */
  now?: () => number
  /** Default: only the demo account. */
  accounts?: AccountOptions[]
  acceptUnknownFormIds?: boolean
  /** Codes of wx.login that the sandbox did not issue are good too, see AnyLoginCode. */
  anyLoginCode?: AnyLoginCode | undefined
  /** The form_id endpoint answers 45103, as it has since 2020. */
  retired?: boolean
  /** How much is kept of what piles up. */
  bounds?: Partial<Bounds>
  /** The seed for faults that have a rate. */
  seed?: number
  /**
   * Called with each request to send as it arrives, struck ones too; the ledger has only those that took
   * effect.
   */
  onSendRequest?: (request: SendRequest) => void
}

/** Everything this WeChat knows. Endpoints read and change it; the control plane looks in and interferes. */
export class World {
  readonly clock: Clock
  readonly accounts: Accounts
  readonly tokens: Tokens
  readonly quotas = new Quotas()
  readonly formIds: FormIds
  readonly users = new Users()
  readonly logins: Logins
  readonly people = new People()
  readonly keptChoices = new KeptChoices()
  readonly bans = new Bans()
  /**
   * The msgid of each message that came with a client_msg_id: "effective ten minutes, not guaranteed beyond" (official
   * page of the service account's template message).
   */
  readonly clientMsgIds = new Recent<string>(10 * MINUTE)
  /** The messages of service accounts: the same once more within 60 seconds is a duplicate (40241). */
  readonly lastMinute = new Recent<true>(MINUTE)
  readonly frequency = new SendFrequency()
  readonly concurrentSends = new ConcurrentSends()
  readonly ledger: Ledger
  readonly tally = new CallCounts()
  readonly faults: Faults
  readonly pushes: Pushes
  retired = false
  readonly #options: WorldOptions

  constructor(options: WorldOptions) {
    this.#options = options
    this.clock = new Clock(options.now ?? Date.now)
    const bounds = { ...BOUNDS, ...options.bounds }
    this.tokens = new Tokens(bounds.tokens)
    this.formIds = new FormIds(bounds.formIds)
    this.logins = new Logins(bounds.loginCodes)
    this.ledger = new Ledger(bounds.deliveries)
    this.pushes = new Pushes(this.clock, bounds.pushes)
    this.accounts = new Accounts(options.accounts ?? [DEMO_ACCOUNT])
    this.faults = new Faults(options.seed ?? 1)
    this.#configure()
  }

  /** Back to the state at the start. */
  reset(): void {
    this.clock.reset()
    const { accounts, tokens, quotas, formIds, users, logins, people, keptChoices, bans } = this
    const { clientMsgIds, lastMinute, frequency, ledger, tally, faults, pushes } = this
    for (const part of [accounts, tokens, quotas, formIds, users, logins, people, keptChoices, bans])
      part.clear()
    for (const part of [clientMsgIds, lastMinute, frequency, ledger, tally, faults, pushes]) part.clear()
    this.#configure()
  }

  /** The account that a call is made for, told by its token, dead or alive, or by the app_id it names. */
  appIdOf({ accessToken, query, body }: Call): string | undefined {
    const named = query.appid ?? body?.appid
    return this.tokens.ownerOf(accessToken) ?? (typeof named === 'string' ? named : undefined)
  }

  /** The record of a request to send, if anybody wants one. */
  witness(call: Call): SendRequest | undefined {
    const { onSendRequest } = this.#options
    if (!onSendRequest) return undefined
    const request = toSendRequest(call, this.clock.now())
    if (request) onSendRequest(request)
    return request
  }

  #configure(): void {
    this.retired = this.#options.retired ?? false
    this.formIds.acceptUnknown = this.#options.acceptUnknownFormIds ?? false
    this.logins.anyCode = this.#options.anyLoginCode ?? false
  }
}
