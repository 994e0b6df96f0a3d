import { createHash, randomBytes } from 'node:crypto'
import { forgetOldest } from './bounds.js'
import { MINUTE } from './clock.js'

/** A code of wx.login is good for one exchange within five minutes (小程序登录凭证校验). */
export const CODE_LIFETIME = 5 * MINUTE
/** Exchanges per minute and user: the number comes from an older revision of the page. */
export const LOGINS_PER_MINUTE = 100

/** Whether codes that the sandbox did not issue are good too, and whose: one person's each, or all of this openid. */
export type AnyLoginCode = boolean | string

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
  anyCode: AnyLoginCode = false
  readonly #kept: number
  readonly #codes = new Map<string, Code>()
  readonly #highRisk = new Set<string>()
  readonly #thisMinute = new Map<string, number>()
  #minute = 0

  constructor(kept: number) {
    this.#kept = kept
  }

  get size(): number {
    return this.#codes.size
  }

  /** Real ones are 32 letters, digits, - and _. */
  issue(appId: string, openId: string, unionId: string | undefined, at: number): string {
    const code = randomBytes(24).toString('base64url')
    this.#add(code, { appId, openId, unionId, issuedAt: at, used: false })
    return code
  }

  setHighRisk(appId: string, openId: string, isHighRisk: boolean): void {
    if (isHighRisk) this.#highRisk.add(`${appId} ${openId}`)
    else this.#highRisk.delete(`${appId} ${openId}`)
  }

  /** Exchanges a code once. A refusal for any reason but a previous use leaves the code as it is. */
  exchange(appId: string, code: unknown, now: number): Login {
    const known = this.#codeOf(appId, code, now)
    if (!known || known.appId !== appId || now - known.issuedAt >= CODE_LIFETIME) return { errcode: 40029 }
    if (known.used) return { errcode: 40163 }
    const person = `${appId} ${known.openId}`
    if (this.#highRisk.has(person)) return { errcode: 40226 }
    if (!this.#take(person, Math.floor(now / MINUTE))) return { errcode: 45011 }
    known.used = true
    return known
  }

  clear(): void {
    for (const part of [this.#codes, this.#highRisk, this.#thisMinute]) part.clear()
  }

  /** A strange code, where any is good, counts as issued when it is seen first. */
  #codeOf(appId: string, code: unknown, now: number): Code | undefined {
    if (typeof code !== 'string' || code === '') return undefined
    const known = this.#codes.get(code)
    if (known || this.anyCode === false) return known
    const openId = this.anyCode === true ? openIdFor(appId, code) : this.anyCode
    return this.#add(code, { appId, openId, unionId: undefined, issuedAt: now, used: false })
  }

  #add(code: string, entry: Code): Code {
    this.#codes.set(code, entry)
    forgetOldest(this.#codes, this.#kept)
    return entry
  }

  #take(person: string, minute: number): boolean {
    if (minute !== this.#minute) this.#thisMinute.clear()
    this.#minute = minute
    const logins = this.#thisMinute.get(person) ?? 0
    if (logins >= LOGINS_PER_MINUTE) return false
    this.#thisMinute.set(person, logins + 1)
    return true
  }
}

/** An openid that looks like a real one: o and 27 more characters. */
function openIdFor(appId: string, code: string): string {
  return `o${createHash('sha256').update(`${appId} ${code}`).digest('base64url').slice(0, 27)}`
}
