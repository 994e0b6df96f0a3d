import type { Channel } from '../channel.js'
import type { SandboxAccount } from './accounts.js'
import type { Admitted, Refused } from './admit.js'
import { isRecord } from './call.js'
import type { Errcode } from './errors.js'
import { refuse } from './replies.js'
import type { Template } from './templates.js'
import type { World } from './world.js'

export interface Addressed extends Admitted {
  openId: string
  template: Template
}

/** To whom and with which template, for an account that may send on this channel at all. */
export function addressMessage(world: World, admitted: Admitted, channel: Channel): Addressed | Refused {
  const { account, body } = admitted
  if (!account.has(channel)) return { refusal: refuse(48001) }
  const openId = body.touser
  if (!world.users.mayBeOpenIdOf(account.appId, openId)) return { refusal: refuse(40003) }
  const template = account.template(body.template_id, channel)
  return template ? { ...admitted, openId, template } : { refusal: refuse(40037) }
}

const STATES: readonly unknown[] = ['developer', 'trial', 'formal', undefined]
const LANGUAGES: readonly unknown[] = ['zh_CN', 'en_US', 'zh_HK', 'zh_TW', undefined]

/**
 * How a subscribe message opens the mini-program. The values are documented, and that they may be left out; what a
 * wrong one is answered is not.
 */
export function openingProblem({ miniprogram_state, lang }: Admitted['body']): string | undefined {
  if (!STATES.includes(miniprogram_state)) return 'miniprogram_state invalid'
  return LANGUAGES.includes(lang) ? undefined : 'lang invalid'
}

/**
 * What a tap on a message of a service account opens: the app must be linked to the account and the page released
 * (official page); the codes are assumptions.
 */
export function jumpProblem(
  world: World,
  account: SandboxAccount,
  { url, miniprogram }: Admitted['body'],
): Errcode | undefined {
  if (url !== undefined && url !== '' && !isWebAddress(url)) return 40048
  if (miniprogram === undefined) return undefined
  if (!isRecord(miniprogram) || !account.isLinkedTo(miniprogram.appid)) return 40013
  const app = world.accounts.get(String(miniprogram.appid))
  return app && !app.hasPage(miniprogram.pagepath) ? 41030 : undefined
}

function isWebAddress(url: unknown): boolean {
  return typeof url === 'string' && /^https?:\/\/[^\s/]+/.test(url)
}
