import type { CallOptions, SendResult, WechatClient } from '../wechat/client.js'
import type { HeldMessage } from './message.js'

/** Sends a message over its channel, if `mayLeave` still allows it when the request is about to leave. */
export type Send = (message: HeldMessage, mayLeave?: CallOptions['mayLeave']) => Promise<SendResult>

export function createSender(wechat: WechatClient): Send {
  return ({ id, channel, openId, templateId, page, data, formId }, mayLeave) => {
    const options = mayLeave ? { mayLeave } : {}
    const body = { touser: openId, template_id: templateId, data }
    const withPage = page === '' ? body : { ...body, page }
    switch (channel) {
      case 'form_id':
        return wechat.sendTemplateMessage({ ...withPage, form_id: formId }, options)
      case 'subscribe':
        return wechat.sendSubscribeMessage(withPage, options)
      case 'official':
        return wechat.sendOfficialTemplateMessage({ ...body, client_msg_id: String(id) }, options)
    }
  }
}
