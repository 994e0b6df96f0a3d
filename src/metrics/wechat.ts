import type { ObserveRequest } from '../wechat/http.js'
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

export function createWechatMetrics(instruments: Instruments): (appId: string) => ObserveRequest {
  const durations = instruments.histogram(
    'wechat_request_duration_seconds',
    'Time that a request to WeChat took, with the wait for a free connection, by call and by whether an answer came (answered), the request never left (unreachable), or nobody knows what became of it (ambiguous).',
    SECONDS,
    ['app_id', 'endpoint', 'result'],
  )
  return (app_id) => (path, result, seconds) =>
    durations.observe({ app_id, endpoint: ENDPOINTS.get(path) ?? 'other', result }, seconds)
}
