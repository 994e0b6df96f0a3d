import type { Channel } from './channel.js'

/** Message push, as entered in WeChat's console. */
export interface CallbackSettings {
  /** '' = callbacks are off. */
  token: string
  /** '' = plain mode: pushes are not encrypted. */
  encodingAesKey: string
  /** Where WeChat calls, for the self-test alone; '' = not known. */
  url: string
}

export type MiniprogramState = 'developer' | 'trial' | 'formal'
export type MessageLanguage = 'zh_CN' | 'en_US' | 'zh_HK' | 'zh_TW'

export interface Webhook {
  url: string
  /** Each signs what is sent: one, or `new,old` while it is being replaced. */
  secrets: string[]
}

/** A text with placeholders, for users whose streak is at least `min_streak`; without it, for everybody. */
export interface AlternativeText {
  min_streak?: number
  text: string
}

/**
 * What a reminder says: key of the template -> text with placeholders, or alternatives of which the first that fits the
 * user's streak is said; the last one has no condition. Made by messages/reminder-data.ts, stored in wx_card.
 */
export type ReminderData = Record<string, string | AlternativeText[]>

/** One WeChat app that messages are sent for, and what its daily reminder says. */
export interface Account {
  appId: string
  appSecret: string
  channel: Channel
  tokenMode: 'stable' | 'classic'
  /** Who numbers users: the owner's backend, or this service. */
  userIds: 'backend' | 'auto'
  callback: CallbackSettings
  templateId: string
  page: string
  data: ReminderData
  /** Which version of the mini-program a subscribe message opens. */
  miniprogramState: MiniprogramState
  /** In which language the mini-program is opened by a subscribe message. */
  lang: MessageLanguage
  /** What a tap on a message of a service account opens; '' = nothing. */
  url: string
  /** The mini-program that a tap on a message of a service account opens, before `url`. */
  miniprogram: { appid: string; pagepath: string } | undefined
  /** Templates that messages of backends and reports of subscriptions may name, besides the reminder's. */
  templates: string[]
  /** Where the account's backend is told what became of its messages. */
  webhook: Webhook | undefined
  /** Requests to WeChat at once, in each process. */
  sendConcurrency: number
  /** Messages per second, for all processes together if Redis shares it; undefined = as fast as WeChat answers. */
  sendRate: number | undefined
  timezone: string
  remindCron: string
  expireCron: string
  /** End of the sending window in the account's zone. */
  sendUntil: { hour: number; minute: number }
}

/** What no log line may show. */
export function secretsOf({ appSecret, callback, webhook }: Account): string[] {
  return [appSecret, callback.token, callback.encodingAesKey, ...(webhook?.secrets ?? [])].filter(Boolean)
}
