/**
 * What WeChat says when it refuses. The texts are those of real answers, quoted in the official pages or in
 * the developer community; real ones have a variable tail (`rid: …`), so no client can compare them for
 * equality.
 */
export const ERRMSG = {
  [-1]: 'system error',
  /** Token replaced, killed or never issued; at the token endpoint: the secret of another account. */
  40001:
    'invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken',
  40002: 'invalid grant_type',
  40003: 'invalid openid',
  40013: 'invalid appid',
  /** The token does not even look like one. */
  40014: 'invalid access_token',
  /** A login code that is wrong, too old, or from another app. */
  40029: 'invalid code',
  40037: 'invalid template_id',
  /** Any path under /cgi-bin/ that does not exist. */
  40066: 'invalid url',
  40125: 'invalid appsecret',
  /** Missing from the page, but seen in answers. */
  40163: 'code been used',
  /** The platform counts the person as high-risk and blocks the login. */
  40226: 'code blocked',
  41001: 'access_token missing',
  41002: 'appid missing',
  41004: 'appsecret missing',
  /** template-message page: "form_id wrong or expired"; also the form_id of another user (community). */
  41028: 'invalid form id',
  41029: 'form id used count reach limit',
  41030: 'invalid page',
  42001: 'access_token expired',
  43002: 'require POST method',
  /** Service account: the receiver does not follow it. */
  43004: 'require subscribe',
  /** Not subscribed, or every one-time credit is used up. */
  43101: 'user refuse to accept the msg',
  44002: 'empty post data',
  45009: 'reach max api daily quota limit',
  45011: 'api minute-quota reach limit, must slower, retry next minute',
  /** What the form_id endpoint has answered since its retirement in 2020 (community, 2020 to 2022). */
  45103: 'This API has been unsupported',
  47001: 'data format error',
  /** Always followed by the field, e.g. `data.thing3.value invalid`. */
  47003: 'argument invalid!',
  48001: 'api unauthorized',
  /** openapi/quota/get for a path that has no quota. */
  76021: 'cgi_path not found',
} as const

export type Errcode = keyof typeof ERRMSG

export function isKnownErrcode(errcode: number): errcode is Errcode {
  return errcode in ERRMSG
}

/** A mistake by the user of the control plane; Fastify turns `statusCode` into the HTTP status. */
export class ControlError extends Error {
  readonly statusCode = 400
}
