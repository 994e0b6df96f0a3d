import type { FastifyInstance } from 'fastify'
import { readCall } from './call.js'
import { type Endpoint, Exchange, JSON_TYPE } from './exchange.js'
import { LOGIN_PATH, login } from './login-endpoint.js'
import { playStrike } from './play-fault.js'
import {
  CLEAR_ALL_PATH,
  CLEAR_BY_SECRET_PATH,
  CLEAR_PATH,
  clearAllQuotas,
  clearAllQuotasBySecret,
  clearQuota,
  QUOTA_PATH,
  readQuota,
} from './quota-endpoints.js'
import { refuse } from './replies.js'
import {
  FORM_ID_SEND_PATH,
  OFFICIAL_SEND_PATH,
  SUBSCRIBE_SEND_PATH,
  sendByFormId,
  sendOfficial,
  sendSubscribe,
} from './send-endpoints.js'
import {
  FORM_ID_LIST_PATH,
  listFormIdTemplates,
  listOfficialTemplates,
  listSubscribeTemplates,
  OFFICIAL_LIST_PATH,
  SUBSCRIBE_LIST_PATH,
} from './template-endpoints.js'
import { classicToken, STABLE_TOKEN_PATH, stableToken, TOKEN_PATH } from './token-endpoints.js'
import type { World } from './world.js'

const ENDPOINTS: [path: string, endpoint: Endpoint][] = [
  [TOKEN_PATH, classicToken],
  [STABLE_TOKEN_PATH, stableToken],
  [LOGIN_PATH, login],
  [FORM_ID_SEND_PATH, sendByFormId],
  [SUBSCRIBE_SEND_PATH, sendSubscribe],
  [OFFICIAL_SEND_PATH, sendOfficial],
  [FORM_ID_LIST_PATH, listFormIdTemplates],
  [SUBSCRIBE_LIST_PATH, listSubscribeTemplates],
  [OFFICIAL_LIST_PATH, listOfficialTemplates],
  [QUOTA_PATH, readQuota],
  [CLEAR_PATH, clearQuota],
  [CLEAR_ALL_PATH, clearAllQuotas],
  [CLEAR_BY_SECRET_PATH, clearAllQuotasBySecret],
]

/** The paths of api.weixin.qq.com, for every method: WeChat itself refuses a wrong one, with HTTP 200. */
export async function wechatRoutes(app: FastifyInstance, { world }: { world: World }): Promise<void> {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))
  for (const [path, endpoint] of ENDPOINTS) {
    app.all(path, (request, reply) => {
      const call = readCall(request, path)
      const exchange = new Exchange(world, call, endpoint, reply)
      const strike = world.faults.strike(call, world.appIdOf(call))
      if (strike) playStrike(exchange, strike).catch((error: Error) => reply.send(error))
      else exchange.answer(exchange.takeEffect())
    })
  }
  // Unknown paths count as one: a client could ask for any number of them.
  app.setNotFoundHandler((request, reply) => {
    const isApi = request.url.startsWith('/cgi-bin/')
    world.tally.count('unknown', isApi ? 40066 : 404)
    if (isApi) return reply.type(JSON_TYPE).send(refuse(40066).body)
    return reply.code(404).type(JSON_TYPE).send('{"errcode":404,"errmsg":"not found"}')
  })
}
