import type { ErrcodeEntry } from './errcodes.js'

/**
 * No access token was available, so nothing was sent. The texts of this error hold no token and no secret.
 */
export class TokenError extends Error {
  readonly code = 'token_unavailable'
  /** `transient` goes away by itself, `configuration` needs a person, `quota` needs the next day. */
  readonly class: 'transient' | 'configuration' | 'quota'
  /** What WeChat answered; undefined where no answer came. */
  readonly entry: ErrcodeEntry | undefined

  constructor(message: string, entry?: ErrcodeEntry) {
    super(message)
    this.name = 'TokenError'
    this.entry = entry
    this.class = tokenErrorClass(entry)
  }

  get errcode(): number | undefined {
    return this.entry?.errcode
  }

  /** What to do about it. */
  get remedy(): string {
    return (
      this.entry?.meaning ??
      'The service retries by itself. If it persists, check the network and the database.'
    )
  }

  get retryable(): boolean {
    return this.class === 'transient'
  }
}

/** A code that a token endpoint should not answer, known or not, needs a person to look at it. */
function tokenErrorClass(entry: ErrcodeEntry | undefined): TokenError['class'] {
  if (entry === undefined) return 'transient'
  return entry.class === 'transient' || entry.class === 'quota' ? entry.class : 'configuration'
}
