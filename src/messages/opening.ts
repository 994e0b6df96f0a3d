import type { Account } from '../account.js'

/** What a tap on a message of a service account opens. */
export type Opening = { url: string } | { miniprogram: { appid: string; pagepath: string } }

/** What no mini-program can have as a page. */
export const isWebAddress = (page: string): boolean => /^https?:\/\/[^\s/]/i.test(page)

/**
 * What the page of a submitted message means on a service account, which has no pages of its own: a web address, or a
 * page of the mini-program that the account's messages open. undefined if it is neither.
 */
export function openingOf(page: string, { miniprogram }: Pick<Account, 'miniprogram'>): Opening | undefined {
  if (isWebAddress(page)) return { url: page }
  return miniprogram && { miniprogram: { appid: miniprogram.appid, pagepath: page } }
}
