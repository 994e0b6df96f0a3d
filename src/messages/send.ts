import type { Account } from '../account.js'
import type { CallOptions, SendResult, WechatClient } from '../wechat/client.js'
import type { HeldMessage } from './message.js'
import { openingOf } from './opening.js'

/** Sends a message over its channel, if `mayLeave` still allows it when the request is about to leave. */
export type Send = (message: HeldMessage, mayLeave?: CallOptions['mayLeave']) => Promise<SendResult>

/** What the messages of an account have in common, whatever they say. */
type SentWith = Pick<Account, 'miniprogramState' | 'lang' | 'url' | 'miniprogram'>

export function createSender(
  wechat: WechatClient,
  { miniprogramState, lang, url, miniprogram }: SentWith,
): Send {
  const opening = { ...(url === '' ? {} : { url }), ...(miniprogram ? { miniprogram } : {}) }
  /** A submitted message may name what it opens; every other one opens what the account's do. */
  const openingFor = ({ page, notAfter }: HeldMessage) =>
    (notAfter === null || page === '' ? undefined : openingOf(page, { miniprogram })) ?? opening
  return (message, mayLeave) => {
    const { id, channel, openId, templateId, page, data, formId } = message
    const options = mayLeave ? { mayLeave } : {}
    // undefined is not sent. Objects that are spread together would copy each message twice.
    const opens = page === '' ? undefined : page
    switch (channel) {
      case 'form_id':
        return wechat.sendTemplateMessage(
          { touser: openId, template_id: templateId, data, page: opens, form_id: formId },
          options,
        )
      case 'subscribe':
        return wechat.sendSubscribeMessage(
          {
            touser: openId,
            template_id: templateId,
            data,
            page: opens,
            miniprogram_state: miniprogramState,
            lang,
          },
          options,
        )
      case 'official':
        return wechat.sendOfficialTemplateMessage(
          {
            touser: openId,
            template_id: templateId,
            data,
            ...openingFor(message),
            client_msg_id: String(id),
          },
          options,
        )
    }
  }
}
