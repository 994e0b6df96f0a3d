/** What the tests use of a package that comes without types. */
declare module 'co-wechat-api' {
  type Data = Record<string, { value: string }>

  export default class WechatApi {
    constructor(appId: string, appSecret: string)
    prefix: string
    snsPrefix: string
    getAccessToken(): Promise<{ accessToken: string; expireTime: number }>
    code2Session(code: string): Promise<{ openid: string; session_key: string }>
    sendTemplate(
      openId: string,
      templateId: string,
      url: string | undefined,
      topColor: string | undefined,
      data: Data,
      miniprogram?: { appid: string; pagepath: string },
    ): Promise<{ errcode: number; msgid: unknown }>
    sendMiniProgramTemplate(
      openId: string,
      templateId: string,
      page: string,
      formId: string,
      data: Data,
    ): Promise<{ errcode: number }>
    sendSubscribeMessage(
      openId: string,
      templateId: string,
      page: string,
      data: Data,
    ): Promise<{ errcode: number; msgid: unknown }>
    getAllPrivateTemplate(): Promise<{ template_list: { template_id: string; content: string }[] }>
  }
}
