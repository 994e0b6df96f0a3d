import { MINUTE } from './clock.js'

/** "Effective ten minutes, not guaranteed beyond" (official page of the service account's template message). */
const REMEMBERED = 10 * MINUTE

/**
 * Remembers which client_msg_id has been accepted for which openid, so that a repeated one delivers nothing.
 */
export class ClientMsgIds {
  readonly #seen = new Map<string, { at: number; msgid: string }>()

  /** The msgid of the message already accepted under this id. */
  find(appId: string, openId: string, clientMsgId: string, now: number): string | undefined {
    this.#forgetBefore(now - REMEMBERED)
    return this.#seen.get(`${appId} ${openId} ${clientMsgId}`)?.msgid
  }

  remember(appId: string, openId: string, clientMsgId: string, msgid: string, now: number): void {
    this.#seen.set(`${appId} ${openId} ${clientMsgId}`, { at: now, msgid })
  }

  clear(): void {
    this.#seen.clear()
  }

  /** A map keeps insertion order, so the old ones are in front. */
  #forgetBefore(time: number): void {
    for (const [key, { at }] of this.#seen) {
      if (at > time) return
      this.#seen.delete(key)
    }
  }
}
