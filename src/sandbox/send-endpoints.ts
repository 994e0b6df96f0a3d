import type { Channel } from '../channel.js'
import type { SandboxAccount } from './accounts.js'
import type { Call } from './call.js'
import type { Errcode } from './errors.js'
import type { Delivery } from './ledger.js'
import { dataProblem } from './message-data.js'
import { accepted, acceptedBefore, type Reply, refuse } from './replies.js'
import type { World } from './world.js'

export const FORM_ID_SEND_PATH = '/cgi-bin/message/wxopen/template/send'
export const SUBSCRIBE_SEND_PATH = '/cgi-bin/message/subscribe/send'
export const OFFICIAL_SEND_PATH = '/cgi-bin/message/template/send'

/** Mini-program template message: one form_id, one message. */
export function sendByFormId(world: World, call: Call): Reply {
  const admitted = admit(world, call)
  if (!('account' in admitted)) return refuse(admitted.errcode)
  if (world.retired) return refuse(45103)
  const { account, body, now } = admitted
  const addressed = address(world, account, body)
  if (!('openId' in addressed)) return refuse(addressed.errcode)
  if (!account.hasPage(body.page)) return refuse(41030)
  // No data at all is allowed here and gives an empty card (official page); a gap in the data is not.
  const problem = body.data === undefined ? undefined : dataProblem(addressed.keys, body.data)
  if (problem) return refuse(47003, problem)
  // Last, because only an accepted message uses the form_id up.
  const unusable = world.formIds.use(account.appId, addressed.openId, body.form_id, now)
  if (unusable) return refuse(unusable)
  return accepted(world.ledger.record(message('form_id', admitted, addressed)))
}

/** Mini-program subscribe message: one accepted subscription, one message; there is no idempotency key. */
export function sendSubscribe(world: World, call: Call): Reply {
  const admitted = admit(world, call)
  if (!('account' in admitted)) return refuse(admitted.errcode)
  const { account, body } = admitted
  const addressed = address(world, account, body)
  if (!('openId' in addressed)) return refuse(addressed.errcode)
  if (!account.hasPage(body.page)) return refuse(41030)
  const problem = dataProblem(addressed.keys, body.data)
  if (problem) return refuse(47003, problem)
  if (!world.users.spendSubscription(account.appId, addressed.openId, addressed.templateId)) {
    return refuse(43101)
  }
  const delivery = world.ledger.record(message('subscribe', admitted, addressed))
  world.pushes.addDelivery(delivery)
  return accepted(delivery)
}

/**
 * Service-account template message, to followers; client_msg_id keeps a repeated call from sending a second
 * message.
 */
export function sendOfficial(world: World, call: Call): Reply {
  const admitted = admit(world, call)
  if (!('account' in admitted)) return refuse(admitted.errcode)
  const { account, body, now } = admitted
  const addressed = address(world, account, body)
  if (!('openId' in addressed)) return refuse(addressed.errcode)
  const { openId } = addressed
  if (!world.users.follows(account.appId, openId)) return refuse(43004)
  const problem = dataProblem(addressed.keys, body.data)
  if (problem) return refuse(47003, problem)
  const clientMsgId = typeof body.client_msg_id === 'string' ? body.client_msg_id : undefined
  if (clientMsgId !== undefined) {
    const msgid = world.clientMsgIds.find(account.appId, openId, clientMsgId, now)
    if (msgid !== undefined) return acceptedBefore(msgid)
  }
  const delivery = world.ledger.record(message('official', admitted, addressed))
  world.pushes.addDelivery(delivery)
  if (clientMsgId !== undefined && delivery.msgid !== null) {
    world.clientMsgIds.remember(account.appId, openId, clientMsgId, delivery.msgid, now)
  }
  return accepted(delivery)
}

interface Refused {
  errcode: Errcode
}

interface Admitted {
  account: SandboxAccount
  body: NonNullable<Call['body']>
  now: number
}

interface Addressed {
  openId: string
  templateId: string
  keys: string[]
}

/** What all three check first: the method, the token, the day's quota, a JSON object. */
function admit(world: World, call: Call): Admitted | Refused {
  if (call.method !== 'POST') return { errcode: 43002 }
  const now = world.clock.now()
  const verified = world.tokens.verify(call.accessToken, now)
  if ('errcode' in verified) return verified
  const account = world.accounts.named(verified.appId)
  if (!world.quotas.takeDaily(account.appId, call.path, now)) return { errcode: 45009 }
  if (!call.hasBody) return { errcode: 44002 }
  if (!call.body) return { errcode: 47001 }
  return { account, body: call.body, now }
}

function address(world: World, account: SandboxAccount, body: Admitted['body']): Addressed | Refused {
  const { touser, template_id } = body
  if (!world.users.mayBeOpenIdOf(account.appId, touser)) return { errcode: 40003 }
  const keys = account.templateKeys(template_id)
  if (!keys || typeof template_id !== 'string') return { errcode: 40037 }
  return { openId: touser, templateId: template_id, keys }
}

function message(
  channel: Channel,
  { account, body, now }: Admitted,
  { openId, templateId }: Addressed,
): Omit<Delivery, 'seq' | 'msgid' | 'answered'> {
  return {
    at: now,
    app_id: account.appId,
    channel,
    open_id: openId,
    template_id: templateId,
    form_id: channel === 'form_id' && typeof body.form_id === 'string' ? body.form_id : null,
    page: typeof body.page === 'string' ? body.page : null,
    data: body.data ?? null,
  }
}
