import type { WechatHttp } from '../wechat/http.js'
import { type Instruments, SECONDS } from './instruments.js'

/** The calls that the service makes, by WeChat's path. */
const ENDPOINTS = new Map([
  ['/cgi-bin/message/wxopen/template/send', 'template_send'],
  ['/cgi-bin/message/subscribe/send', 'subscribe_send'],
  ['/cgi-bin/message/template/send', 'official_send'],
  ['/cgi-bin/stable_token', 'token'],
  ['/cgi-bin/token', 'token'],
  ['/sns/jscode2session', 'login'],
])

/** Returns a function that makes a client measured: its requests behave as before. */
export function createWechatMetrics(instruments: Instruments): (http: WechatHttp) => WechatHttp {
  const durations = instruments.histogram(
    'wechat_request_duration_seconds',
    'Time that a request to WeChat took, with the wait for a free connection, by call and by whether an answer came (answered), the request never left (unreachable), or nobody knows what became of it (ambiguous).',
    SECONDS,
    ['endpoint', 'result'],
  )
  return (http) => ({
    ...http,
    async request(call) {
      const began = performance.now()
      const result = await http.request(call)
      durations.observe(
        { endpoint: endpointOf(call.path), result: result.kind },
        (performance.now() - began) / 1_000,
      )
      return result
    },
  })
}

/** The query holds the token: it must not become a label. */
function endpointOf(path: string): string {
  const end = path.indexOf('?')
  return ENDPOINTS.get(end < 0 ? path : path.slice(0, end)) ?? 'other'
}
