import { randomBytes } from 'node:crypto'
import { MINUTE } from './clock.js'

/** A code of wx.login is good for one exchange within five minutes (小程序登录凭证校验). */
export const CODE_LIFETIME = 5 * MINUTE
/** Exchanges per minute and user: the number comes from an older revision of the page. */
export const LOGINS_PER_MINUTE = 100

interface Code {
  appId: string
  openId: string
  unionId: string | undefined
  issuedAt: number
  used: boolean
}

/** Who logged in, or the errcode of the refusal. */
export type Login =
  | { openId: string; unionId: string | undefined }
  | { errcode: 40029 | 40163 | 40226 | 45011 }

/** The codes that wx.login has given to clients, and the people whom the platform no longer lets log in. */
export class Logins {
  readonly #codes = new Map<string, Code>()
  readonly #highRisk = new Set<string>()
  readonly #minutes = new Map<string, { minute: number; logins: number }>()

  /** Real ones are 32 letters, digits, - and _. */
  issue(appId: string, openId: string, unionId: string | undefined, at: number): string {
    const code = randomBytes(24).toString('base64url')
    this.#codes.set(code, { appId, openId, unionId, issuedAt: at, used: false })
    return code
  }

  setHighRisk(appId: string, openId: string, isHighRisk: boolean): void {
    if (isHighRisk) this.#highRisk.add(`${appId} ${openId}`)
    else this.#highRisk.delete(`${appId} ${openId}`)
  }

  /** Exchanges a code once. A refusal for any reason but a previous use leaves the code as it is. */
  exchange(appId: string, code: unknown, now: number): Login {
    const known = typeof code === 'string' ? this.#codes.get(code) : undefined
    if (!known || known.appId !== appId || now - known.issuedAt >= CODE_LIFETIME) return { errcode: 40029 }
    if (known.used) return { errcode: 40163 }
    const person = `${appId} ${known.openId}`
    if (this.#highRisk.has(person)) return { errcode: 40226 }
    if (!this.#take(person, Math.floor(now / MINUTE))) return { errcode: 45011 }
    known.used = true
    return known
  }

  clear(): void {
    for (const part of [this.#codes, this.#highRisk, this.#minutes]) part.clear()
  }

  #take(person: string, minute: number): boolean {
    const last = this.#minutes.get(person)
    const logins = last?.minute === minute ? last.logins : 0
    if (logins >= LOGINS_PER_MINUTE) return false
    this.#minutes.set(person, { minute, logins: logins + 1 })
    return true
  }
}
