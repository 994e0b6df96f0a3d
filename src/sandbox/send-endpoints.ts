import { createHash } from 'node:crypto'
import type { Channel } from '../channel.js'
import { admitPost } from './admit.js'
import type { Call } from './call.js'
import type { Delivery } from './ledger.js'
import { dataProblem } from './message-data.js'
import { accepted, acceptedAs, type Reply, refuse } from './replies.js'
import { type Addressed, addressMessage, jumpProblem, openingProblem } from './send-checks.js'
import type { World } from './world.js'

export const FORM_ID_SEND_PATH = '/cgi-bin/message/wxopen/template/send'
export const SUBSCRIBE_SEND_PATH = '/cgi-bin/message/subscribe/send'
export const OFFICIAL_SEND_PATH = '/cgi-bin/message/template/send'

/** Mini-program template message: one form_id, one message. */
export function sendByFormId(world: World, call: Call): Reply {
  const admitted = admitPost(world, call)
  if ('refusal' in admitted) return admitted.refusal
  if (world.retired) return refuse(45103)
  const addressed = addressMessage(world, admitted, 'form_id')
  if ('refusal' in addressed) return addressed.refusal
  const { account, body, openId, template, now } = addressed
  if (!account.hasPage(body.page)) return refuse(41030)
  // No data at all is allowed here and gives an empty card (official page); a gap in the data is not.
  const problem = body.data === undefined ? undefined : dataProblem(template.keys, body.data, template.enums)
  if (problem) return refuse(47003, problem)
  // Last, because only an accepted message uses the form_id up.
  const unusable = world.formIds.use(account.appId, openId, body.form_id, now)
  if (unusable) return refuse(unusable)
  return accepted(world.ledger.record(messageOf('form_id', addressed)))
}

/** Mini-program subscribe message: one accepted subscription, one message; there is no idempotency key. */
export function sendSubscribe(world: World, call: Call): Reply {
  const admitted = admitPost(world, call)
  if ('refusal' in admitted) return admitted.refusal
  if (world.concurrentSends.isSecond(call)) return refuse(43108)
  const addressed = addressMessage(world, admitted, 'subscribe')
  if ('refusal' in addressed) return addressed.refusal
  const { account, body, openId, template } = addressed
  const { appId } = account
  if (world.bans.hasAccount(appId) || world.bans.hasTemplate(appId, template.id)) return refuse(43107)
  if (!account.hasPage(body.page)) return refuse(41030)
  const problem = openingProblem(body) ?? dataProblem(template.keys, body.data, template.enums)
  if (problem) return refuse(47003, problem)
  if (world.people.get(appId, openId).receives === false) return refuse(43101)
  // Last, because only an accepted message spends the subscription; a long-term one is never used up.
  const { users } = world
  const isSubscribed =
    template.type === 3
      ? users.hasSubscription(appId, openId, template.id)
      : users.spendSubscription(appId, openId, template.id)
  if (!isSubscribed) return refuse(43101)
  return acceptAndReport(world, 'subscribe', addressed)
}

/**
 * Service-account template message, to followers; client_msg_id keeps a repeated call from sending a second
 * message.
 */
export function sendOfficial(world: World, call: Call): Reply {
  const admitted = admitPost(world, call)
  if ('refusal' in admitted) return admitted.refusal
  const addressed = addressMessage(world, admitted, 'official')
  if ('refusal' in addressed) return addressed.refusal
  const { account, body, openId, template, now } = addressed
  const { appId } = account
  if (!world.users.follows(appId, openId)) return refuse(43004)
  const person = world.people.get(appId, openId)
  if (person.blacklisted) return refuse(43019)
  if (person.receives === false) return refuse(48002)
  if (world.bans.hasTemplate(appId, template.id)) return refuse(43116)
  const impossible = jumpProblem(world, account, body)
  if (impossible) return refuse(impossible)
  const problem = dataProblem(template.keys, body.data, template.enums)
  if (problem) return refuse(47003, problem)

  const clientMsgId = typeof body.client_msg_id === 'string' ? body.client_msg_id : undefined
  const idKey = `${appId} ${openId} ${clientMsgId}`
  const before = clientMsgId === undefined ? undefined : world.clientMsgIds.find(idKey, now)
  if (before !== undefined) return acceptedAs(before)
  const content = digestOf(addressed)
  if (world.lastMinute.find(content, now)) return refuse(40241)
  if (world.frequency.isTooMuch(appId, openId, now)) return refuse(43117)

  const reply = acceptAndReport(world, 'official', addressed)
  world.lastMinute.add(content, true, now)
  world.frequency.count(appId, openId, now)
  if (clientMsgId !== undefined && reply.msgid !== undefined) world.clientMsgIds.add(idKey, reply.msgid, now)
  return reply
}

/** Accepts the message: it reaches the person, or is lost on the way, and an event tells which. */
function acceptAndReport(world: World, channel: 'subscribe' | 'official', addressed: Addressed): Reply {
  const message = messageOf(channel, addressed)
  const { fails } = world.people.get(message.app_id, message.open_id)
  if (fails) {
    const msgid = world.ledger.newMsgid()
    world.pushes.addOutcome({ ...message, msgid }, fails)
    return acceptedAs(msgid)
  }
  const delivery = world.ledger.record(message)
  world.pushes.addOutcome(delivery)
  return accepted(delivery)
}

/** The same for messages that say and open the same to the same person. A hash, because a fast run sends many in a minute. */
function digestOf({ account, openId, template, body: { data, url, miniprogram } }: Addressed): string {
  const content = [account.appId, openId, template.id, data, url, miniprogram]
  return createHash('sha1').update(JSON.stringify(content)).digest('base64')
}

function messageOf(
  channel: Channel,
  { account, body, now, openId, template }: Addressed,
): Omit<Delivery, 'seq' | 'msgid' | 'answered'> {
  return {
    at: now,
    app_id: account.appId,
    channel,
    open_id: openId,
    template_id: template.id,
    form_id: channel === 'form_id' && typeof body.form_id === 'string' ? body.form_id : null,
    page: typeof body.page === 'string' ? body.page : null,
    data: body.data ?? null,
  }
}
