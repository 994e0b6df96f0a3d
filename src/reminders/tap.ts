import type { Account } from '../account.js'

type Opening = Pick<Account, 'channel' | 'page' | 'url' | 'miniprogram'>

/** What a tap on a reminder opens, for people to read; undefined = nothing. */
export function opensOnTap({ channel, page, url, miniprogram }: Opening): string | undefined {
  if (channel !== 'official') return page || undefined
  return miniprogram ? `${miniprogram.appid} ${miniprogram.pagepath}`.trim() : url || undefined
}

/** The settings that say what a tap opens on a channel. */
export function tapSettings(channel: Account['channel']): string[] {
  return channel === 'official' ? ['REMINDER_URL', 'REMINDER_MINIPROGRAM'] : ['REMINDER_PAGE']
}
