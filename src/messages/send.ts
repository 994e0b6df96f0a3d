import type { CallOptions, SendResult, WechatClient } from '../wechat/client.js'
import type { Delivery } from './message.js'

/** Sends a message over its channel, if it still may when the request would leave. */
export type Send = (delivery: Delivery, mayLeave?: CallOptions['mayLeave']) => Promise<SendResult>

export function createSender(wechat: WechatClient): Send {
  return ({ id, channel, openId, templateId, page, data, formId }, mayLeave) => {
    const options = mayLeave ? { mayLeave } : {}
    const message = { touser: openId, template_id: templateId, data }
    const withPage = page === '' ? message : { ...message, page }
    switch (channel) {
      case 'form_id':
        return wechat.sendTemplateMessage({ ...withPage, form_id: formId }, options)
      case 'subscribe':
        return wechat.sendSubscribeMessage(withPage, options)
      case 'official':
        return wechat.sendOfficialTemplateMessage({ ...message, client_msg_id: String(id) }, options)
    }
  }
}
