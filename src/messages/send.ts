import type { Account } from '../account.js'
import type { CallOptions, SendResult, WechatClient } from '../wechat/client.js'
import type { HeldMessage } from './message.js'

/** Sends a message over its channel, if `mayLeave` still allows it when the request is about to leave. */
export type Send = (message: HeldMessage, mayLeave?: CallOptions['mayLeave']) => Promise<SendResult>

/** What the messages of an account have in common, whatever they say. */
type SentWith = Pick<Account, 'miniprogramState' | 'lang' | 'url' | 'miniprogram'>

export function createSender(
  wechat: WechatClient,
  { miniprogramState, lang, url, miniprogram }: SentWith,
): Send {
  const opening = { ...(url === '' ? {} : { url }), ...(miniprogram ? { miniprogram } : {}) }
  return ({ id, channel, openId, templateId, page, data, formId }, mayLeave) => {
    const options = mayLeave ? { mayLeave } : {}
    const body = { touser: openId, template_id: templateId, data }
    const withPage = page === '' ? body : { ...body, page }
    switch (channel) {
      case 'form_id':
        return wechat.sendTemplateMessage({ ...withPage, form_id: formId }, options)
      case 'subscribe':
        return wechat.sendSubscribeMessage(
          { ...withPage, miniprogram_state: miniprogramState, lang },
          options,
        )
      case 'official':
        return wechat.sendOfficialTemplateMessage({ ...body, ...opening, client_msg_id: String(id) }, options)
    }
  }
}
