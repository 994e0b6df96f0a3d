import { randomBytes } from 'node:crypto'
import { forgetOldest } from './bounds.js'
import { beijingDay, MINUTE, SECOND } from './clock.js'
import type { Errcode } from './errors.js'

export const TOKEN_LIFETIME = 7200 * SECOND
/** How long an old and a new token both work (official page). */
export const TOKEN_OVERLAP = 5 * MINUTE
export const FORCED_PER_DAY = 20
export const FORCED_APART = 30 * SECOND

interface Token {
  value: string
  appId: string
  endsAt: number
  /** What a later call with it is answered: 42001 if it ran out, 40001 if something replaced or killed it. */
  endCode: 40001 | 42001
}

interface Forced {
  day: number
  count: number
  at: number
}

/** Access tokens of both kinds. The kinds do not touch each other: a classic call leaves stable tokens alone. */
export class Tokens {
  readonly #kept: number
  readonly #issued = new Map<string, Token>()
  readonly #classic = new Map<string, Token>()
  readonly #stable = new Map<string, Token>()
  readonly #forced = new Map<string, Forced>()

  constructor(kept: number) {
    this.#kept = kept
  }

  get size(): number {
    return this.#issued.size
  }

  /** GET /cgi-bin/token: always a new token; the previous one works for five more minutes. */
  classic(appId: string, now: number): { value: string; expiresIn: number } {
    const previous = this.#classic.get(appId)
    if (previous && previous.endsAt > now + TOKEN_OVERLAP) this.#end(previous, now + TOKEN_OVERLAP)
    const token = this.#issue(appId, now + TOKEN_LIFETIME)
    this.#classic.set(appId, token)
    return handOut(token, now)
  }

  /** POST /cgi-bin/stable_token: the same token with its remaining life, until its last five minutes. */
  stable(appId: string, forceRefresh: boolean, now: number): { value: string; expiresIn: number } {
    const current = this.#stable.get(appId)
    const alive = current && current.endsAt > now ? current : undefined
    if (forceRefresh && this.#mayForce(appId, now)) {
      if (alive) this.#end(alive, now)
      return this.#renewStable(appId, now, now)
    }
    if (!alive) return this.#renewStable(appId, now, now)
    // The platform renews by itself when five minutes are left, whoever asks then; the old token runs out by
    // itself.
    const renewedAt = alive.endsAt - TOKEN_OVERLAP
    return now > renewedAt ? this.#renewStable(appId, renewedAt, now) : handOut(alive, now)
  }

  /** The account a token speaks for, or the errcode a call with it gets. */
  verify(value: string | undefined, now: number): { appId: string } | { errcode: Errcode } {
    if (!value) return { errcode: 41001 }
    const token = this.#issued.get(value)
    if (!token) return { errcode: looksLikeToken(value) ? 40001 : 40014 }
    return now < token.endsAt ? token : { errcode: token.endCode }
  }

  /** The account that a token was issued to, whether it is still good or not. */
  ownerOf(value: string | undefined): string | undefined {
    return value === undefined ? undefined : this.#issued.get(value)?.appId
  }

  /** Kills one token at once, as another program's forced refresh does. */
  kill(value: string, now: number): void {
    const token = this.#issued.get(value)
    if (token && token.endsAt > now) this.#end(token, now)
  }

  /** Kills every living token of one account, or of all; returns how many. */
  killAll(appId: string | undefined, now: number): number {
    const alive = [...this.#issued.values()].filter(
      (token) => token.endsAt > now && (appId === undefined || token.appId === appId),
    )
    for (const token of alive) this.#end(token, now)
    return alive.length
  }

  clear(): void {
    for (const map of [this.#issued, this.#classic, this.#stable, this.#forced]) map.clear()
  }

  #mayForce(appId: string, now: number): boolean {
    const last = this.#forced.get(appId)
    const day = beijingDay(now)
    const count = last?.day === day ? last.count : 0
    if (count >= FORCED_PER_DAY || (last && now - last.at < FORCED_APART)) return false
    this.#forced.set(appId, { day, count: count + 1, at: now })
    return true
  }

  #renewStable(appId: string, from: number, now: number): { value: string; expiresIn: number } {
    const token = this.#issue(appId, from + TOKEN_LIFETIME)
    this.#stable.set(appId, token)
    return handOut(token, now)
  }

  #issue(appId: string, endsAt: number): Token {
    const value = `98_${randomBytes(100).toString('base64url')}`
    const token: Token = { value, appId, endsAt, endCode: 42001 }
    this.#issued.set(value, token)
    forgetOldest(this.#issued, this.#kept)
    return token
  }

  #end(token: Token, at: number): void {
    token.endsAt = at
    token.endCode = 40001
  }
}

function handOut(token: Token, now: number): { value: string; expiresIn: number } {
  return { value: token.value, expiresIn: Math.floor((token.endsAt - now) / SECOND) }
}

/**
 * Real ones are a number, an underscore and 100 or more URL-safe characters; the page asks to reserve 512.
 */
function looksLikeToken(value: string): boolean {
  return /^\d+_[\w-]{32,512}$/.test(value)
}
