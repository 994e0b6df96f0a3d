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

/** One WeChat app that messages are sent for, and what its daily reminder says. */
export interface Account {
  appId: string
  appSecret: string
  channel: Exclude<Channel, 'official'>
  tokenMode: 'stable' | 'classic'
  /** Who numbers users: the owner's backend, or this service. */
  userIds: 'backend' | 'auto'
  callback: CallbackSettings
  templateId: string
  page: string
  /** Key of the template -> text with placeholders, see messages/text.ts. */
  data: Record<string, string>
  timezone: string
  remindCron: string
  expireCron: string
  /** End of the sending window in the account's zone. */
  sendUntil: { hour: number; minute: number }
}
