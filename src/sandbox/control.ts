import type { AccountOptions } from './accounts.js'
import { ControlError } from './errors.js'
import type { FaultSpec, FaultStatus } from './faults.js'
import type { Delivery, Summary } from './ledger.js'
import type { AnyLoginCode } from './logins.js'
import { PeopleControl } from './people-control.js'
import type { CallbackConfig, PushedEvent } from './push-message.js'
import type { PushRecord } from './pushes.js'
import type { FrequencyLimit } from './send-frequency.js'

export interface SandboxSettings {
  retired?: boolean | undefined
  acceptUnknownFormIds?: boolean | undefined
  /** Calls per day and account, by path. */
  dailyQuotas?: Record<string, number> | undefined
  minuteQuotas?: Record<string, number> | undefined
  /** Messages of a service account to one person; null = as many as one likes. */
  frequency?: FrequencyLimit | null | undefined
  anyLoginCode?: AnyLoginCode | undefined
}

export interface Ban {
  appId?: string | undefined
  templateId?: string | undefined
  banned?: boolean | undefined
}

export type SandboxSummary = Summary & { answers: Record<string, number> }

export interface SandboxStats {
  now: number
  clock_offset_ms: number
  in_flight: number
  peak_in_flight: number
  form_ids: number
  delivered: number
  /** Of those, how many the ledger no longer has. */
  forgotten: number
  /** Path, then errcode, or the kind of the fault if it kept WeChat from answering. */
  answers: Record<string, Record<string, number>>
}

/** What a test, a demo or an operator may do to this WeChat; the routes under /sandbox/ do the same over HTTP. */
export class SandboxControl extends PeopleControl {
  /** Moves the clock by this much, backwards too. */
  advanceClock(ms: number): void {
    this.world.clock.advance(ms)
  }

  /** Where and how the account wants to receive events. Until this is set it receives none. */
  configureCallback({
    appId,
    auto = true,
    ...config
  }: CallbackConfig & { appId?: string | undefined; auto?: boolean }): void {
    if (config.mode !== 'plain' && config.encodingAesKey === '')
      throw new ControlError(`${config.mode} mode needs an EncodingAESKey`)
    this.world.pushes.configure(this.world.accounts.named(appId).appId, config, auto)
  }

  /** Pushes any event. `changes` make the push wrong: another token, another key. */
  push(event: PushedEvent & { appId?: string | undefined }, changes: Partial<CallbackConfig> = {}): void {
    this.world.pushes.add(this.world.accounts.named(event.appId).appId, event, changes)
  }

  /** Sends the waiting pushes, and resolves when each was answered or given up. */
  sendPushes(): Promise<void> {
    return this.world.pushes.send()
  }

  /** What was pushed, oldest first, and how it was answered. */
  pushes(): PushRecord[] {
    return this.world.pushes.list()
  }

  /**
   * Kills every token, or those of one account if it is named, as a changed secret does; returns how many.
   */
  killTokens(appId?: string): number {
    return this.world.tokens.killAll(appId, this.now())
  }

  /** What is not named stays as it is. */
  configure({ dailyQuotas = {}, minuteQuotas = {}, ...settings }: SandboxSettings): void {
    const { retired, acceptUnknownFormIds, frequency, anyLoginCode } = settings
    const { world } = this
    if (retired !== undefined) world.retired = retired
    if (acceptUnknownFormIds !== undefined) world.formIds.acceptUnknown = acceptUnknownFormIds
    if (frequency !== undefined) world.frequency.setLimit(frequency)
    if (anyLoginCode !== undefined) world.logins.anyCode = anyLoginCode
    for (const [path, limit] of Object.entries(dailyQuotas)) world.quotas.setDaily(path, limit)
    for (const [path, limit] of Object.entries(minuteQuotas)) world.quotas.setPerMinute(path, limit)
  }

  /** The app_ids of the accounts. */
  accounts(): string[] {
    return this.world.accounts.ids()
  }

  /** Adds an account, or changes the one of this app_id as a whole; what people did with it stays. */
  putAccount(account: AccountOptions): void {
    this.world.accounts.put(account)
  }

  /** The platform bans a template, or without one the account's subscribe messages as a whole; or lifts the ban. */
  ban({ appId, templateId, banned = true }: Ban): void {
    this.world.bans.set(this.world.accounts.named(appId).appId, templateId, banned)
  }

  /** Returns the fault's id. */
  addFault(fault: FaultSpec): string {
    return this.world.faults.add(fault)
  }

  faults(): FaultStatus[] {
    return this.world.faults.list()
  }

  /** False if there is none with this id. */
  removeFault(id: string): boolean {
    return this.world.faults.remove(id)
  }

  clearFaults(): void {
    this.world.faults.clear()
  }

  /** Deliveries after a seq, oldest first. */
  ledger({ after, limit }: { after?: number; limit?: number } = {}): Delivery[] {
    return this.world.ledger.page(after, limit)
  }

  /** Deliveries in total or of one Beijing day (YYYYMMDD); `answers` are always those since the start. */
  summary(date?: number): SandboxSummary {
    return { ...this.world.ledger.summary(date), answers: this.world.tally.byOutcome() }
  }

  stats(): SandboxStats {
    const { clock, tally, formIds, ledger } = this.world
    return {
      now: clock.now(),
      clock_offset_ms: clock.offsetMs,
      in_flight: tally.inFlight,
      peak_in_flight: tally.peakInFlight,
      form_ids: formIds.size,
      delivered: ledger.size,
      forgotten: ledger.forgotten,
      answers: tally.byPath(),
    }
  }

  /**
   * Back to the state at the start: no tokens, form_ids, deliveries or faults; clock and settings as given.
   */
  reset(): void {
    this.world.reset()
  }
}
