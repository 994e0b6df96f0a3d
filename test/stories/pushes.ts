import { randomInt } from 'node:crypto'
import { encrypt, getSignature } from '@wecom/crypto'

export interface PushedEvent {
  FromUserName: string
  /** Seconds; a string in the documented JSON. */
  CreateTime: string
  Event: string
  List: Record<string, string>
}

/** A request of WeChat's. */
export interface Push {
  path: string
  body: string
}

/**
 * WeChat as it pushes events in safe mode with JSON. Signs and encrypts by a library of the registry that shares no code
 * with ours.
 */
export class Pushes {
  constructor(
    private readonly options: {
      appId: string
      token: string
      encodingAesKey: string
      now(): number
    },
  ) {}

  /** The request that tells of an event: a fresh one each time. */
  of(event: PushedEvent): Push {
    const { appId, token, encodingAesKey, now } = this.options
    const seconds = Math.floor(now() / 1000)
    const message = JSON.stringify({ ToUserName: 'gh_0123456789ab', MsgType: 'event', ...event })
    const encrypted = encrypt(encodingAesKey, message, appId)
    const nonce = String(randomInt(1e9, 1e10))
    const query = new URLSearchParams({
      signature: getSignature(token, seconds, nonce, ''),
      timestamp: String(seconds),
      nonce,
      openid: event.FromUserName,
      encrypt_type: 'aes',
      msg_signature: getSignature(token, seconds, nonce, encrypted),
    })
    return {
      path: `/wechat/callback?${query}`,
      body: JSON.stringify({ ToUserName: 'gh_0123456789ab', Encrypt: encrypted }),
    }
  }
}
