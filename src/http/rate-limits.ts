/** Requests a minute; Infinity = no limit. */
export interface RateLimits {
  /** For one person's sessions together. */
  session: number
  /** For one API key. */
  key: number
  /** Logins from one address. Many phones share one behind a mobile carrier. */
  ip: number
  /** Wrong keys, tokens and signatures from one address. */
  refused: number
}

export const DEFAULT_RATE_LIMITS: RateLimits = {
  session: 60,
  key: Number.POSITIVE_INFINITY,
  ip: 300,
  refused: 60,
}

/** Reads RATE_LIMITS, such as `session:60,ip:unlimited`; what is not named keeps its default. Throws with the fault. */
export function parseRateLimits(text: string): RateLimits {
  const limits = { ...DEFAULT_RATE_LIMITS }
  for (const entry of text.split(',').map((part) => part.trim())) {
    const [, name = '', value = ''] = /^(session|key|ip|refused):(unlimited|\d{1,9})$/.exec(entry) ?? []
    if (name === '' || value === '0')
      throw new Error(
        `"${entry}" is not one of session:N, key:N, ip:N, refused:N, where N is a number of requests a minute, or unlimited`,
      )
    limits[name as keyof RateLimits] = value === 'unlimited' ? Number.POSITIVE_INFINITY : Number(value)
  }
  return limits
}
