// The two settings of this kit. Nothing here is secret, and nothing secret may be added: anyone who has the
// mini-program can read its code. An API key of the service, or an AppSecret, belongs on a server.
module.exports = {
  /**
   * The address of the service: https, and listed as request 合法域名 in WeChat's console. No slash at the end.
   */
  serviceUrl: 'https://reminder.your-domain.example',

  /**
   * Templates of 订阅消息 to ask for in the sign-in tap, 3 at most, while the service has not said which ones it sends
   * by (GET /v1/permits). Empty: do not ask until then.
   */
  templateIds: ['TEMPLATE-ID-OF-YOUR-ACCOUNT'],
}
