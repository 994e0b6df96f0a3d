import { SECOND } from './clock.js'
import { ControlError } from './errors.js'
import type { FaultSpec, FaultStatus } from './faults.js'
import type { Delivery, Summary } from './ledger.js'
import type { CallbackConfig, PushedEvent } from './push-message.js'
import type { PushRecord } from './pushes.js'
import type { World } from './world.js'

/** In every call here, `appId` defaults to the first account. */
export interface Receiver {
  appId?: string | undefined
  openId: string
}

export interface SandboxSettings {
  retired?: boolean | undefined
  acceptUnknownFormIds?: boolean | undefined
  /** Calls per day and account, by path. */
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
  /** Path, then errcode, or the kind of the fault if it kept WeChat from answering. */
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

  /** Moves the clock by this much, backwards too. */
  advanceClock(ms: number): void {
    this.#world.clock.advance(ms)
  }

  /** What a form submit gives: good for one message to this user, for seven days from `at` (default now). */
  issueFormId({ appId, openId, at = this.now() }: Receiver & { at?: number | undefined }): string {
    return this.#world.formIds.issue(this.#remember(appId, openId), openId, at)
  }

  /** What a payment gives: good for three messages. */
  issuePrepayId({ appId, openId, at = this.now() }: Receiver & { at?: number | undefined }): string {
    return this.#world.formIds.issuePrepay(this.#remember(appId, openId), openId, at)
  }

  /** Makes a form_id valid that was made elsewhere. A known one keeps its history. */
  registerFormId({
    appId,
    openId,
    formId,
    at = this.now(),
  }: Receiver & { formId: string; at?: number | undefined }): void {
    this.#world.formIds.register(this.#remember(appId, openId), openId, formId, at)
  }

  /** The user accepts a one-time subscription `count` times, a second apart, the last time now. */
  grantSubscription({
    appId,
    openId,
    templateId,
    count = 1,
  }: Receiver & { templateId: string; count?: number | undefined }): void {
    const named = this.#remember(appId, openId)
    for (let ago = count - 1; ago >= 0; ago--) {
      this.#tap(named, openId, { [templateId]: 'accept' }, this.now() - ago * SECOND)
    }
  }

  /** The user answers a popup that asks for one or several templates. */
  tap({ appId, openId, answers }: Receiver & { answers: Record<string, 'accept' | 'reject'> }): void {
    this.#tap(this.#remember(appId, openId), openId, answers, this.now())
  }

  /** The user turns templates off in the settings of the mini-program. */
  turnOff({ appId, openId, templateIds }: Receiver & { templateIds: string[] }): void {
    const named = this.#remember(appId, openId)
    for (const templateId of templateIds) this.#world.users.revoke(named, openId, templateId)
    const items = templateIds.map((TemplateId) => ({ TemplateId, SubscribeStatusString: 'reject' }))
    this.#world.pushes.add(named, { name: 'subscribe_msg_change_event', openId, at: this.now(), items })
  }

  /** What wx.login gives to the client: a code for one exchange within five minutes from `at` (default now). */
  issueLoginCode({
    appId,
    openId,
    unionId,
    at = this.now(),
  }: Receiver & { unionId?: string | undefined; at?: number | undefined }): string {
    return this.#world.logins.issue(this.#remember(appId, openId), openId, unionId, at)
  }

  /** The platform counts the person as high-risk, or no longer does: logins are refused with 40226. */
  markHighRisk({ appId, openId, highRisk = true }: Receiver & { highRisk?: boolean | undefined }): void {
    this.#world.logins.setHighRisk(this.#remember(appId, openId), openId, highRisk)
  }

  follow({ appId, openId }: Receiver): void {
    const named = this.#world.accounts.named(appId).appId
    this.#world.users.follow(named, openId)
    this.#world.pushes.add(named, { name: 'subscribe', openId, at: this.now(), items: [{ EventKey: '' }] })
  }

  unfollow({ appId, openId }: Receiver): void {
    const named = this.#world.accounts.named(appId).appId
    this.#world.users.unfollow(named, openId)
    this.#world.pushes.add(named, { name: 'unsubscribe', openId, at: this.now(), items: [{ EventKey: '' }] })
  }

  /** Where and how the account wants to receive events. Until this is set it receives none. */
  configureCallback({
    appId,
    auto = true,
    ...config
  }: CallbackConfig & { appId?: string | undefined; auto?: boolean }): void {
    if (config.mode !== 'plain' && config.encodingAesKey === '')
      throw new ControlError(`${config.mode} mode needs an EncodingAESKey`)
    this.#world.pushes.configure(this.#world.accounts.named(appId).appId, config, auto)
  }

  /** Pushes any event. `changes` make the push wrong: another token, another key. */
  push(event: PushedEvent & { appId?: string | undefined }, changes: Partial<CallbackConfig> = {}): void {
    this.#world.pushes.add(this.#world.accounts.named(event.appId).appId, event, changes)
  }

  /** Sends the waiting pushes, and resolves when each was answered or given up. */
  sendPushes(): Promise<void> {
    return this.#world.pushes.send()
  }

  /** What was pushed, oldest first, and how it was answered. */
  pushes(): PushRecord[] {
    return this.#world.pushes.list()
  }

  /**
   * Kills every token, or those of one account if it is named, as a changed secret does; returns how many.
   */
  killTokens(appId?: string): number {
    return this.#world.tokens.killAll(appId, this.now())
  }

  configure({ retired, acceptUnknownFormIds, dailyQuotas = {} }: SandboxSettings): void {
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

  /** False if there is none with this id. */
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

  /** Deliveries in total or of one Beijing day (YYYYMMDD); `answers` are always those since the start. */
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

  /**
   * Back to the state at the start: no tokens, form_ids, deliveries or faults; clock and settings as given.
   */
  reset(): void {
    this.#world.reset()
  }

  #tap(appId: string, openId: string, answers: Record<string, 'accept' | 'reject'>, at: number): void {
    const items = Object.entries(answers).map(([TemplateId, answer]) => {
      if (answer === 'accept') this.#world.users.grant(appId, openId, TemplateId, 1)
      return { TemplateId, SubscribeStatusString: answer, PopupScene: '0' }
    })
    this.#world.pushes.add(appId, { name: 'subscribe_msg_popup_event', openId, at, items })
  }

  #remember(appId: string | undefined, openId: string): string {
    const account = this.#world.accounts.named(appId)
    this.#world.users.remember(account.appId, openId)
    return account.appId
  }
}
