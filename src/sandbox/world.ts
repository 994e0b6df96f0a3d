import { type AccountOptions, Accounts, DEMO_ACCOUNT } from './accounts.js'
import type { Call } from './call.js'
import { CallCounts } from './call-counts.js'
import { ClientMsgIds } from './client-msg-ids.js'
import { Clock } from './clock.js'
import { Faults } from './faults.js'
import { FormIds } from './form-ids.js'
import { Ledger } from './ledger.js'
import { Logins } from './logins.js'
import { Pushes } from './pushes.js'
import { Quotas } from './quotas.js'
import { type SendRequest, toSendRequest } from './send-request.js'
import { Tokens } from './tokens.js'
import { Users } from './users.js'

export interface WorldOptions {
  /** The time in ms; default: the machine's clock. */
  now?: () => number
  /** Default: only the demo account. */
  accounts?: AccountOptions[]
  acceptUnknownFormIds?: boolean
  /** The form_id endpoint answers 45103, as it has since 2020. */
  retired?: boolean
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
  readonly tokens = new Tokens()
  readonly quotas = new Quotas()
  readonly formIds = new FormIds()
  readonly users = new Users()
  readonly logins = new Logins()
  readonly clientMsgIds = new ClientMsgIds()
  readonly ledger = new Ledger()
  readonly tally = new CallCounts()
  readonly faults: Faults
  readonly pushes: Pushes
  retired = false
  readonly #options: WorldOptions

  constructor(options: WorldOptions) {
    this.#options = options
    this.clock = new Clock(options.now ?? Date.now)
    this.pushes = new Pushes(this.clock)
    this.accounts = new Accounts(options.accounts ?? [DEMO_ACCOUNT])
    this.faults = new Faults(options.seed ?? 1)
    this.#configure()
  }

  /** Back to the state at the start. */
  reset(): void {
    this.clock.reset()
    const { tokens, quotas, formIds, users, logins, clientMsgIds, ledger, tally, faults, pushes } = this
    for (const part of [tokens, quotas, formIds, users, logins, clientMsgIds, ledger, tally, faults, pushes])
      part.clear()
    this.#configure()
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
  }
}
