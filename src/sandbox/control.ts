import type { FaultSpec, FaultStatus } from './faults.js'
import type { Delivery, Summary } from './ledger.js'
import type { World } from './world.js'

/** In every call here, the first account is meant when `appId` is left out. */
export interface Person {
  appId?: string | undefined
  openId: string
}

export interface Settings {
  retired?: boolean | undefined
  acceptUnknownFormIds?: boolean | undefined
  /** Calls a day and account, by path. */
  dailyQuotas?: Record<string, number> | undefined
}

export type SandboxSummary = Summary & { answers: Record<string, number> }

export interface SandboxStats {
  now: number
  clock_offset_ms: number
  in_flight: number
  peak_in_flight: number
  form_ids: number
  delivered: number
  /** Path, then errcode; or the kind of the fault where it kept WeChat from answering. */
  answers: Record<string, Record<string, number>>
}

/** What a test, a demo or an operator may do to this WeChat; the routes under /sandbox/ do the same over HTTP. */
export class SandboxControl {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  now(): number {
    return this.#world.clock.now()
  }

  /** Moves the clock by so much, backwards too. */
  advanceClock(ms: number): void {
    this.#world.clock.advance(ms)
  }

  /** What a form submit gives: good for one message to this user, for seven days from `at` (default now). */
  issueFormId({ appId, openId, at = this.now() }: Person & { at?: number | undefined }): string {
    return this.#world.formIds.issue(this.#remember(appId, openId), openId, at)
  }

  /** What a payment gives: good for three messages. */
  issuePrepayId({ appId, openId, at = this.now() }: Person & { at?: number | undefined }): string {
    return this.#world.formIds.issuePrepay(this.#remember(appId, openId), openId, at)
  }

  /** Makes a form_id valid that was made elsewhere. One that is known already keeps its history. */
  registerFormId({
    appId,
    openId,
    formId,
    at = this.now(),
  }: Person & { formId: string; at?: number | undefined }): void {
    this.#world.formIds.register(this.#remember(appId, openId), openId, formId, at)
  }

  /** The user accepts a one-time subscription `count` times. */
  grantSubscription({
    appId,
    openId,
    templateId,
    count = 1,
  }: Person & { templateId: string; count?: number | undefined }): void {
    this.#world.users.grant(this.#remember(appId, openId), openId, templateId, count)
  }

  /** What wx.login gives to the client: a code for one exchange within five minutes from `at` (default now). */
  issueLoginCode({
    appId,
    openId,
    unionId,
    at = this.now(),
  }: Person & { unionId?: string | undefined; at?: number | undefined }): string {
    return this.#world.logins.issue(this.#remember(appId, openId), openId, unionId, at)
  }

  /** The platform takes the person for high-risk, or no longer: logins are refused with 40226. */
  markHighRisk({ appId, openId, highRisk = true }: Person & { highRisk?: boolean | undefined }): void {
    this.#world.logins.setHighRisk(this.#remember(appId, openId), openId, highRisk)
  }

  follow({ appId, openId }: Person): void {
    this.#world.users.follow(this.#world.accounts.named(appId).appId, openId)
  }

  unfollow({ appId, openId }: Person): void {
    this.#world.users.unfollow(this.#world.accounts.named(appId).appId, openId)
  }

  /** Kills every token, of one account if it is named, as a changed secret does; returns how many. */
  killTokens(appId?: string): number {
    return this.#world.tokens.killAll(appId, this.now())
  }

  configure({ retired, acceptUnknownFormIds, dailyQuotas = {} }: Settings): void {
    const world = this.#world
    if (retired !== undefined) world.retired = retired
    if (acceptUnknownFormIds !== undefined) world.formIds.acceptUnknown = acceptUnknownFormIds
    for (const [path, limit] of Object.entries(dailyQuotas)) world.quotas.setDaily(path, limit)
  }

  /** Returns the fault's id. */
  addFault(fault: FaultSpec): string {
    return this.#world.faults.add(fault)
  }

  faults(): FaultStatus[] {
    return this.#world.faults.list()
  }

  /** False when there is none with this id. */
  removeFault(id: string): boolean {
    return this.#world.faults.remove(id)
  }

  clearFaults(): void {
    this.#world.faults.clear()
  }

  /** Deliveries after a seq, oldest first. */
  ledger({ after, limit }: { after?: number; limit?: number } = {}): Delivery[] {
    return this.#world.ledger.page(after, limit)
  }

  /** Deliveries of everything or of one Beijing day (YYYYMMDD); `answers` are always those since the start. */
  summary(date?: number): SandboxSummary {
    return { ...this.#world.ledger.summary(date), answers: this.#world.tally.byOutcome() }
  }

  stats(): SandboxStats {
    const { clock, tally, formIds, ledger } = this.#world
    return {
      now: clock.now(),
      clock_offset_ms: clock.offsetMs,
      in_flight: tally.inFlight,
      peak_in_flight: tally.peakInFlight,
      form_ids: formIds.size,
      delivered: ledger.size,
      answers: tally.byPath(),
    }
  }

  /** Back to how the sandbox was started: no tokens, form_ids, deliveries, faults; clock and settings as given. */
  reset(): void {
    this.#world.reset()
  }

  #remember(appId: string | undefined, openId: string): string {
    const account = this.#world.accounts.named(appId)
    this.#world.users.remember(account.appId, openId)
    return account.appId
  }
}
