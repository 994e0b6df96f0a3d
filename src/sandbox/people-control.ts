import { SECOND } from './clock.js'
import type { Person } from './people.js'
import {
  requestSubscription,
  type SubscriptionRequest,
  type SubscriptionResult,
} from './subscription-request.js'
import type { World } from './world.js'

/** In every call here, `appId` defaults to the first account. */
export interface Receiver {
  appId?: string | undefined
  openId: string
}

/** What people do in the mini-program, in its settings, and with the service account. */
export class PeopleControl {
  protected readonly world: World

  constructor(world: World) {
    this.world = world
  }

  now(): number {
    return this.world.clock.now()
  }

  /** What a form submit gives: good for one message to this user, for seven days from `at` (default now). */
  issueFormId({ appId, openId, at = this.now() }: Receiver & { at?: number | undefined }): string {
    return this.world.formIds.issue(this.#remember(appId, openId), openId, at)
  }

  /** What a payment gives: good for three messages. */
  issuePrepayId({ appId, openId, at = this.now() }: Receiver & { at?: number | undefined }): string {
    return this.world.formIds.issuePrepay(this.#remember(appId, openId), openId, at)
  }

  /** Makes a form_id valid that was made elsewhere. A known one keeps its history. */
  registerFormId({
    appId,
    openId,
    formId,
    at = this.now(),
  }: Receiver & { formId: string; at?: number | undefined }): void {
    this.world.formIds.register(this.#remember(appId, openId), openId, formId, at)
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

  /** The client calls wx.requestSubscribeMessage, which may show a popup or not; returns what it gets. */
  requestSubscription({ appId, openId, ...request }: Receiver & SubscriptionRequest): SubscriptionResult {
    const account = this.world.accounts.named(appId)
    this.world.users.remember(account.appId, openId)
    return requestSubscription(this.world, account, openId, request)
  }

  /** The user turns templates off in the settings of the mini-program. */
  turnOff({ appId, openId, templateIds }: Receiver & { templateIds: string[] }): void {
    const named = this.#remember(appId, openId)
    for (const templateId of templateIds) {
      this.world.users.revoke(named, openId, templateId)
      if (this.world.keptChoices.get(named, openId, templateId))
        this.world.keptChoices.set(named, openId, templateId, 'reject')
    }
    const items = templateIds.map((TemplateId) => ({ TemplateId, SubscribeStatusString: 'reject' }))
    this.world.pushes.add(named, { name: 'subscribe_msg_change_event', openId, at: this.now(), items })
  }

  /** What wx.login gives to the client: a code for one exchange within five minutes from `at` (default now). */
  issueLoginCode({
    appId,
    openId,
    unionId,
    at = this.now(),
  }: Receiver & { unionId?: string | undefined; at?: number | undefined }): string {
    return this.world.logins.issue(this.#remember(appId, openId), openId, unionId, at)
  }

  /** The platform counts the person as high-risk, or no longer does: logins are refused with 40226. */
  markHighRisk({ appId, openId, highRisk = true }: Receiver & { highRisk?: boolean | undefined }): void {
    this.world.logins.setHighRisk(this.#remember(appId, openId), openId, highRisk)
  }

  follow({ appId, openId }: Receiver): void {
    const named = this.world.accounts.named(appId).appId
    this.world.users.follow(named, openId)
    this.world.pushes.add(named, { name: 'subscribe', openId, at: this.now(), items: [{ EventKey: '' }] })
  }

  unfollow({ appId, openId }: Receiver): void {
    const named = this.world.accounts.named(appId).appId
    this.world.users.unfollow(named, openId)
    this.world.pushes.add(named, { name: 'unsubscribe', openId, at: this.now(), items: [{ EventKey: '' }] })
  }

  /** Blacklisted, with the switch of all messages off, or out of reach; what is not named stays as it is. */
  setPerson({ appId, openId, ...changes }: Receiver & Person): void {
    this.world.people.set(this.#remember(appId, openId), openId, changes)
  }

  #tap(appId: string, openId: string, answers: Record<string, 'accept' | 'reject'>, at: number): void {
    const items = Object.entries(answers).map(([TemplateId, answer]) => {
      if (answer === 'accept') this.world.users.grant(appId, openId, TemplateId, 1)
      return { TemplateId, SubscribeStatusString: answer, PopupScene: '0' }
    })
    this.world.pushes.add(appId, { name: 'subscribe_msg_popup_event', openId, at, items })
  }

  #remember(appId: string | undefined, openId: string): string {
    const account = this.world.accounts.named(appId)
    this.world.users.remember(account.appId, openId)
    return account.appId
  }
}
