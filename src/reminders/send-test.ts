import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { inTransaction } from '../db/transaction.js'
import { ServiceError } from '../errors.js'
import type { Bilingual } from '../lib/bilingual.js'
import { addDays, businessDate } from '../lib/business-date.js'
import { failpoint } from '../lib/failpoint.js'
import { permitMark } from '../lib/permit-mark.js'
import { maskOpenId } from '../lib/redact.js'
import { type UserId, userIdToJson } from '../lib/user-id.js'
import { createBrake } from '../messages/brake.js'
import { findOrAddCard } from '../messages/card-store.js'
import { causeOf } from '../messages/cause.js'
import { claimOne } from '../messages/claim-one.js'
import { deliverAll } from '../messages/deliver.js'
import type { DeliverDeps } from '../messages/delivery.js'
import { type HeldMessage, traceIdOf } from '../messages/message.js'
import { findGiver, findStanding, type StandingOfMessage } from '../messages/single-store.js'
import { renderReminder } from '../messages/text.js'
import { withdrawWaiting } from '../messages/withdraw.js'
import { findStreakUpTo } from '../sign-ins/sign-in.js'
import { countStopped } from '../users/stop-store.js'
import { findPersons } from '../users/store.js'
import { errcodeOf, httpStatusEntry } from '../wechat/errcodes.js'
import type { TemplateData } from '../wechat/messages.js'
import { WITHOUT_CODE } from './what-to-do.js'

/** What became of a test message. The answer of the command. */
export interface SentTest {
  message_id: number
  state: StandingOfMessage['state']
  /** Masked. */
  open_id: string
  user_id: number | string
  /** The permit that it took; null on a service account. `mark` names a form_id without showing it. */
  permit: { id: number; source: string | null; mark: string } | null
  /** The permit that it went out with in the end, where WeChat refused the first as spoiled. */
  replaced_by: number | null
  template_id: string
  data: TemplateData
  errcode: number | null
  name: string | null
  errmsg: string | null
  rid: string | null
  msgid: string | null
  meaning: string
  meaning_zh: string
  what_to_do: string
  what_to_do_zh: string
  trace_id: string
}

const ATTEMPTS = 5

/**
 * Sends today's reminder to one person, now, as a message of its own: it takes a permit of that person and is settled
 * like any other, and does not count as the day's reminder. An attempt that certainly came to nothing is not repeated
 * later: the permit is given back. Throws `not_found` or `conflict`, before anything is written, for a person who is not
 * known, has no usable permit, or is not to be sent anything.
 */
export async function sendTest(
  deps: DeliverDeps,
  account: Account,
  openId: string,
  signal: AbortSignal,
): Promise<SentTest> {
  const { db, now } = deps
  const userId = await findUser(db, account.appId, openId)
  let message: HeldMessage | undefined
  // Claimed where deliverAll asks for it: a command that is stopped before that has claimed nothing.
  const source = {
    async next() {
      if (message) return undefined
      message = await claim(deps, account, openId, userId)
      return [message]
    },
  }
  const closesAt = () => Number.POSITIVE_INFINITY
  await deliverAll(deps, source, { brake: createBrake(), closesAt, signal })
  if (!message) throw new ServiceError('not_ready', 'Stopped before anything was sent')
  const standing = await standingOf(db, message.id)
  if (standing.state !== 'retry' || standing.maybe_sent === 1) return toJson(message, standing)
  await withdrawWaiting(db, account.appId, [message.id], 'not sent: WeChat did not take the test', now())
  const { state } = await standingOf(db, message.id)
  return toJson(message, { ...standing, state })
}

async function findUser(db: Knex, appId: string, openId: string): Promise<UserId> {
  const [person] = await findPersons(db, appId, [openId])
  const userId = person?.userId ?? (await findGiver(db, appId, openId))
  if (userId === undefined)
    throw new ServiceError(
      'not_found',
      person
        ? 'This person has logged in and has no user yet: let the mini-program or its backend report a permit first'
        : 'No such person in this account: open_ids of another app look alike. Let the person use the app once',
    )
  if ((await countStopped(db, { appId, openId })).stopped > 0)
    throw new ServiceError(
      'conflict',
      'This person has opted out or was refused by WeChat, and is sent nothing: `explain` says why, `bring-back --open-id` undoes it',
    )
  return userId
}

async function claim(
  { db, leaseMs, now }: DeliverDeps,
  account: Account,
  openId: string,
  userId: UserId,
): Promise<HeldMessage> {
  const at = now()
  const date = businessDate(at, account.timezone)
  const { appId } = account
  const streak = await findStreakUpTo(db, { appId, userId, day: addDays(date, -1) })
  const said = Object.entries(renderReminder(account.data, { date, streak }))
  const data = Object.fromEntries(said.map(([key, { value }]) => [key, value]))
  const card = await findOrAddCard(db, { ...account, data }, at)
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const one = await inTransaction(db, (trx) => claimOne(trx, { appId, userId, openId, card, leaseMs }, at))
    if (one.kind === 'claimed') {
      failpoint('claim.committed')
      return one.message
    }
    if (one.kind === 'no_permit') break
  }
  throw new ServiceError(
    'conflict',
    `This person has no permit that a ${account.channel} message of this template could take now: nothing was sent. ` +
      'Let the person submit a form or accept the subscription in the app, then try again',
  )
}

async function standingOf(db: Knex, id: number): Promise<StandingOfMessage> {
  const standing = await findStanding(db, id)
  if (!standing) throw new Error(`Message ${id} is gone`)
  return standing
}

function toJson(message: HeldMessage, standing: StandingOfMessage): SentTest {
  const { id, openId, userId, permitId, permitSource, formId, templateId, data } = message
  const { state, errcode, errmsg, rid, msgid } = standing
  const { name, meaning } = explained(standing)
  const whatToDo = NEXT[state]
  return {
    message_id: id,
    state,
    open_id: maskOpenId(openId),
    user_id: userIdToJson(userId),
    permit: permitId === null ? null : { id: permitId, source: permitSource, mark: permitMark(formId) },
    replaced_by: standing.permit_id === permitId ? null : standing.permit_id,
    template_id: templateId,
    data,
    errcode,
    name,
    errmsg,
    rid,
    msgid,
    meaning: meaning.en,
    meaning_zh: meaning.zh,
    what_to_do: whatToDo.en,
    what_to_do_zh: whatToDo.zh,
    trace_id: traceIdOf(id),
  }
}

function explained({ state, ...answer }: StandingOfMessage): { name: string | null; meaning: Bilingual } {
  const { errcode } = answer
  if (errcode !== null) {
    const { name, meaning, meaning_zh } = httpStatusEntry(errcode) ?? errcodeOf(errcode)
    return { name, meaning: { en: meaning, zh: meaning_zh } }
  }
  if (state === 'delivered') return { name: null, meaning: { en: 'WeChat accepted it.', zh: '微信已接收。' } }
  return { name: null, meaning: WITHOUT_CODE[causeOf(answer) || 'other'].meaning }
}

/** What to do, and where the permit is. */
const NEXT: Record<StandingOfMessage['state'], Bilingual> = {
  delivered: {
    en: 'Look for the card in WeChat, under 服务通知. The permit is spent.',
    zh: '请在微信的“服务通知”里查看卡片。凭证已用。',
  },
  failed: {
    en: 'It was not delivered, and the permit stays spent, for WeChat counts it as used. Set right what the meaning names; the person must give a new permit for another try.',
    zh: '未送达。微信视该凭证为已用，故不退还。按含义所述处理；再试需要该用户给出新的凭证。',
  },
  cancelled: {
    en: 'It was not delivered, and the permit has been given back. Set right what the meaning names, then send it again.',
    zh: '未送达，凭证已退还。按含义所述处理后再发一次。',
  },
  unknown: {
    en: 'It may have been delivered: look into WeChat before you send another. The permit stays spent.',
    zh: '可能已送达：再发之前请先到微信里看看。凭证视为已用。',
  },
  retry: {
    en: 'It may have been delivered. serve or recover will ask WeChat again, with the same permit.',
    zh: '可能已送达。serve 或 recover 会用同一凭证再次询问微信。',
  },
  queued: {
    en: 'It has not left yet: serve or recover will send it.',
    zh: '尚未发出：serve 或 recover 会发送。',
  },
  sending: {
    en: 'It is in doubt: serve or recover will settle it.',
    zh: '结果未知：serve 或 recover 会核实。',
  },
}
