/** The values of a template's keys. An object, never a JSON string: WeChat answers that with 47003. */
export type TemplateData = Record<string, { value: string }>

/** Mini-program template message (模板消息 templateMessage.send). */
export interface TemplateMessage {
  /** The receiver's open_id. */
  touser: string
  template_id: string
  /** A form_id or prepay_id of that user, used once. */
  form_id: string
  /** Page of the mini-program, query allowed. Empty: the card cannot be tapped. */
  page?: string | undefined
  data: TemplateData
  /** Such as `keyword1.DATA`. */
  emphasis_keyword?: string | undefined
}

/** Mini-program subscribe message (发送订阅消息). */
export interface SubscribeMessage {
  touser: string
  template_id: string
  /** Must be in the released version. */
  page?: string | undefined
  data: TemplateData
  miniprogram_state?: 'developer' | 'trial' | 'formal' | undefined
  lang?: 'zh_CN' | 'en_US' | 'zh_HK' | 'zh_TW' | undefined
}

/** Service-account template message (公众号模板消息). */
export interface OfficialTemplateMessage {
  /** open_id in the service account, not in the mini-program. */
  touser: string
  template_id: string
  url?: string | undefined
  miniprogram?: { appid: string; pagepath?: string | undefined } | undefined
  data: TemplateData
  /** Ours, one per message: WeChat delivers it once within 10 minutes. */
  client_msg_id: string
}
