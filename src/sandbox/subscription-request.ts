import type { SandboxAccount } from './accounts.js'
import type { Choice } from './kept-choices.js'
import type { PushedEvent } from './push-message.js'
import type { World } from './world.js'

/** What the client asks for with wx.requestSubscribeMessage, and what its user does. */
export interface SubscriptionRequest {
  templateIds: string[]
  /** The user's choice in the popup, by template; default: accept. */
  answers?: Record<string, Choice> | undefined
  /** The user ticks 总是保持以上选择，不再询问 as well. */
  always?: boolean | undefined
}

/** As the client gets it: an outcome per template, or a code and what is wrong. */
export type SubscriptionResult = { errMsg: string; errCode?: number } & Record<string, string | number>

/** The page of 2026 says five; older ones three. */
const MAX_TEMPLATES = 5

/**
 * wx.requestSubscribeMessage on a user's phone. Each accept is good for one more message, a kept one too, which shows
 * no popup. That no event is pushed without a popup is an assumption, and that a kept reject voids what was accepted
 * before, as the switch in the settings does that it turns off.
 */
export function requestSubscription(
  world: World,
  account: SandboxAccount,
  openId: string,
  { templateIds, answers = {}, always = false }: SubscriptionRequest,
): SubscriptionResult {
  const { appId } = account
  const failure = failureOf(world, account, openId, templateIds)
  if (failure) return failure
  const result: SubscriptionResult = { errMsg: 'requestSubscribeMessage:ok' }
  const asked: PushedEvent['items'] = []
  const titles = new Set<string>()
  for (const templateId of templateIds) {
    const title = account.template(templateId, 'subscribe')?.title ?? ''
    const kept = world.keptChoices.get(appId, openId, templateId)
    const choice = kept ?? answers[templateId] ?? 'accept'
    if (world.bans.hasTemplate(appId, templateId)) result[templateId] = 'ban'
    else if (titles.has(title)) result[templateId] = 'filter'
    else {
      result[templateId] = choice
      if (choice === 'accept') world.users.grant(appId, openId, templateId, 1)
      if (!kept) asked.push({ TemplateId: templateId, SubscribeStatusString: choice, PopupScene: '0' })
      if (!kept && always) keep(world, appId, openId, templateId, choice)
    }
    titles.add(title)
  }
  if (asked.length > 0) {
    const event = { name: 'subscribe_msg_popup_event', openId, at: world.clock.now(), items: asked }
    world.pushes.add(appId, event)
  }
  return result
}

function keep(world: World, appId: string, openId: string, templateId: string, choice: Choice): void {
  world.keptChoices.set(appId, openId, templateId, choice)
  if (choice === 'reject') world.users.revoke(appId, openId, templateId)
}

function failureOf(
  world: World,
  account: SandboxAccount,
  openId: string,
  templateIds: string[],
): SubscriptionResult | undefined {
  if (templateIds.length === 0) return failed(10001, 'TmplIds can not be empty')
  if (templateIds.length > MAX_TEMPLATES) return failed(20003, 'Templates count out of max bounds')
  const types = new Set(templateIds.map((id) => account.template(id, 'subscribe')?.type))
  if (types.has(undefined)) return failed(20001, 'No template data return, verify the template id exist')
  if (types.size > 1) return failed(20002, 'Templates type must be same')
  if (world.people.get(account.appId, openId).receives === false)
    return failed(20004, 'The main switch is switched off')
  return world.bans.hasAccount(account.appId) ? failed(20005, 'This mini program was banned') : undefined
}

function failed(errCode: number, text: string): SubscriptionResult {
  return { errMsg: `requestSubscribeMessage:fail ${text}`, errCode }
}
