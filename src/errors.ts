/** Every error code that a caller can see, with its HTTP status. Programs match on the code, never on the message. */
export const ERROR_STATUS = {
  malformed_json: 400,
  malformed_request: 400,
  unauthorized: 401,
  invalid_code: 401,
  forbidden: 403,
  high_risk_user: 403,
  not_found: 404,
  unknown_account: 404,
  sessions_off: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  conflict: 409,
  idempotency_conflict: 409,
  message_sent: 409,
  message_not_dead: 409,
  message_expired: 409,
  no_permit: 409,
  user_stopped: 409,
  user_not_bound: 409,
  code_used: 409,
  payload_too_large: 413,
  unsupported_media_type: 415,
  invalid_request: 422,
  unknown_template: 422,
  too_many_messages: 429,
  too_many_requests: 429,
  headers_too_large: 431,
  internal: 500,
  overloaded: 503,
  not_ready: 503,
  wechat_unavailable: 503,
  login_misconfigured: 503,
} as const

export type ErrorCode = keyof typeof ERROR_STATUS

/** A failure with a stable code and a message that tells the reader what to do. */
export class ServiceError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly details?: Record<string, unknown>,
    /** When it may be tried again, if that is known. */
    readonly retryAfterSeconds?: number,
  ) {
    super(message)
    this.name = 'ServiceError'
  }

  get status(): number {
    return ERROR_STATUS[this.code]
  }
}

/** The settings are wrong: every fault at once, in words that say what to set. */
export class ConfigError extends Error {
  readonly code = 'config_invalid'

  constructor(readonly faults: string[]) {
    super(`The configuration has faults:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`)
    this.name = 'ConfigError'
  }
}
