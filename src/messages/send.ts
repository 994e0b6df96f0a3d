import type { SendResult, WechatClient } from '../wechat/client.js'
import type { Delivery } from './message.js'

/** Sends a message over its channel. */
export function createSender(wechat: WechatClient): (delivery: Delivery) => Promise<SendResult> {
  return ({ id, channel, openId, templateId, page, data, formId }) => {
    const message = { touser: openId, template_id: templateId, data }
    const withPage = page === '' ? message : { ...message, page }
    switch (channel) {
      case 'form_id':
        return wechat.sendTemplateMessage({ ...withPage, form_id: formId })
      case 'subscribe':
        return wechat.sendSubscribeMessage(withPage)
      case 'official':
        return wechat.sendOfficialTemplateMessage({ ...message, client_msg_id: String(id) })
    }
  }
}
