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
  /** A service account's message: the url of its jump is no web address. */
  40048: 'invalid url domain',
  40066: 'invalid url',
  /** Arguments that are out of range, at the template list. */
  40097: 'invalid args',
  40125: 'invalid appsecret',
  /** Missing from the page, but seen in answers. */
  40163: 'code been used',
  /** The platform counts the person as high-risk and blocks the login. */
  40164: 'invalid ip',
  40226: 'code blocked',
  /** Seen in 2025, at a service account's message. */
  40241: 'The message is duplicate in 60 seconds',
  40243: 'AppSecret has been frozen',
  41001: 'access_token missing',
  41002: 'appid missing',
  41004: 'appsecret missing',
  /** template-message page: "form_id wrong or expired"; also the form_id of another user (community). */
  41028: 'invalid form id',
  41029: 'form id used count reach limit',
  41030: 'invalid page',
  42001: 'access_token expired',
  43001: 'require GET method',
  43002: 'require POST method',
  /** Service account: the receiver does not follow it. */
  43004: 'require subscribe',
  /** Service account: the receiver is on its blacklist. */
  43019: 'the user is in blacklist',
  /** Not subscribed, or every one-time credit is used up. */
  43101: 'user refuse to accept the msg',
  /** Subscribe messages, or this template, are banned. */
  43107: 'subscribe message is banned',
  43108: 'Cannot make concurrent calls to the same OpenID, please try again',
  /** Service account; on no page, but seen in answers. */
  43116: 'This template_id is banned',
  43117: 'Sending messages to this openid too frequently',
  44002: 'empty post data',
  45009: 'reach max api daily quota limit',
  45011: 'api minute-quota reach limit, must slower, retry next minute',
  /** What the form_id endpoint has answered since its retirement in 2020 (community, 2020 to 2022). */
  45103: 'This API has been unsupported',
  47001: 'data format error',
  /** Always followed by the field, e.g. `data.thing3.value invalid`. */
  47003: 'argument invalid!',
  /** The account has no such interface: a mini-program's is not a service account's. */
  48001: 'api unauthorized',
  /** Service account: the follower has switched its messages off. */
  48002: 'user block receive message',
  48006: 'forbid to clear quota because of reaching the limit',
  76003: 'invalid cgi_path',
  76021: 'cgi_path not found, please check',
  76022: 'could not use this cgi_path, no permission',
} as const

export type Errcode = keyof typeof ERRMSG

export function isKnownErrcode(errcode: number): errcode is Errcode {
  return errcode in ERRMSG
}

/** A mistake by the user of the control plane; Fastify turns `statusCode` into the HTTP status. */
export class ControlError extends Error {
  readonly statusCode = 400
}
