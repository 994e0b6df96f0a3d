import { CLIENT_MSG_ID_MS, LAST_CHANCE_MS } from '../../src/messages/verdict.js'
import type { SendRequest } from '../../src/sandbox/send-request.js'
import { requestsOf } from './asked.js'
import type { Evidence, MessageRow, PermitRow, PersonRow, Violations } from './check.js'
import { openIdOf } from './permit-sources.js'
import { explainUnknowns, type UnknownCounts, type UnknownFindings } from './unknowns.js'

type ByChannel = Pick<
  Violations,
  | 'delivered_only_in_our_books'
  | 'delivered_and_given_back'
  | 'permits_missing'
  | 'permits_made_up'
  | 'lost_unsent'
  | 'lost_to_busy'
> & { unknown?: UnknownCounts; submittedUnknown?: UnknownCounts }

const REFUSED = 43101

/** A message is known at WeChat by its form_id. */
export function checkFormIds(
  messages: MessageRow[],
  permits: PermitRow[],
  { ledger, uploader }: Evidence,
): ByChannel {
  const messageById = new Map(messages.map((message) => [message.id, message]))
  const permitById = new Map(permits.map((permit) => [permit.id, permit]))
  const permitByFormId = new Map(permits.map((permit) => [permit.form_id, permit]))
  const delivered = new Set(ledger.map(({ open_id, form_id }) => `${open_id} ${form_id}`))
  return {
    delivered_only_in_our_books: messages.filter(
      ({ state, user_id, permit_id }) =>
        state === 'delivered' &&
        !delivered.has(`${openIdOf(user_id)} ${permitById.get(permit_id ?? 0)?.form_id}`),
    ),
    delivered_and_given_back: ledger.flatMap((delivery) => {
      const permit = permitByFormId.get(delivery.form_id ?? '')
      const message = messageById.get(permit?.message_id ?? 0)
      const isKept = permit?.status === 1 && message !== undefined && message.state !== 'cancelled'
      return isKept ? [] : [{ delivery, permit, message }]
    }),
    permits_missing: [...uploader.stored.values()].filter(({ name, userId, openId }) => {
      const permit = permitByFormId.get(name)
      return permit?.user_id !== userId || permit.open_id !== openId
    }),
    permits_made_up: [],
    lost_unsent: [],
    lost_to_busy: [],
  }
}

/** A message is known at WeChat by its user alone, and by when its requests came. */
export function checkSubscriptions(
  messages: MessageRow[],
  permits: PermitRow[],
  { requests, uploader, disturbances, overtaken }: Evidence,
): ByChannel {
  const asked = requestsOf(messages, requests)
  const wasDelivered = (message: MessageRow): boolean =>
    (asked.get(message) ?? []).some(({ delivery }) => delivery !== undefined)
  const given = messages
    .filter(({ state }) => state !== 'delivered' && state !== 'unknown')
    .filter(wasDelivered)
  const attributed = new Set<SendRequest>([...asked.values()].flat())
  // Reminders and submitted messages are sent side by side: so many of each are marked at once.
  const explain = (isWanted: (message: MessageRow) => boolean): UnknownFindings =>
    explainUnknowns(
      messages.filter(isWanted).map((message) => ({ ...message, requests: asked.get(message) ?? [] })),
      disturbances,
      overtaken,
    )
  const reminders = explain(({ token }) => token === undefined)
  const submitted = explain(({ token }) => token !== undefined)
  return {
    delivered_only_in_our_books: messages.filter(
      (message) => message.state === 'delivered' && !wasDelivered(message),
    ),
    delivered_and_given_back: [...given, ...requests.filter((request) => !attributed.has(request))],
    ...compareWithTaps(messages, permits, uploader),
    lost_unsent: [...reminders.lost_unsent, ...submitted.lost_unsent],
    lost_to_busy: [...reminders.lost_to_busy, ...submitted.lost_to_busy],
    unknown: reminders.counts,
    submittedUnknown: submitted.counts,
  }
}

/**
 * A message is known at WeChat by its user alone, but its client_msg_id keeps it from a second delivery for 10 minutes.
 */
export function checkFollowers(
  messages: MessageRow[],
  persons: PersonRow[],
  { requests, uploader }: Evidence,
): ByChannel {
  const asked = requestsOf(messages, requests)
  const wasDelivered = (message: MessageRow): boolean =>
    (asked.get(message) ?? []).some(({ delivery }) => delivery !== undefined)
  const attributed = new Set<SendRequest>([...asked.values()].flat())
  const userOf = new Map(persons.map(({ open_id, user_id }) => [open_id, user_id]))
  return {
    delivered_only_in_our_books: messages.filter((m) => m.state === 'delivered' && !wasDelivered(m)),
    delivered_and_given_back: [
      ...messages.filter((m) => m.state !== 'delivered' && m.state !== 'unknown' && wasDelivered(m)),
      ...requests.filter((request) => !attributed.has(request)),
    ],
    permits_missing: [...uploader.stored.values()].filter(
      ({ openId, userId }) => userOf.get(openId) !== userId,
    ),
    permits_made_up: messages.filter(({ permit_id }) => permit_id !== null),
    lost_unsent: messages.filter(
      ({ state, settled_at, created_at, claimed_at, not_after }) =>
        state === 'unknown' &&
        (settled_at ?? 0) <
          Math.min(
            (claimed_at ?? created_at) + CLIENT_MSG_ID_MS - LAST_CHANCE_MS,
            not_after ?? Number.POSITIVE_INFINITY,
          ),
    ),
    lost_to_busy: [],
  }
}

/** As many permits as the backend was told are stored, and at most as many as the user has tapped. */
function compareWithTaps(
  messages: MessageRow[],
  permits: PermitRow[],
  { stored, source }: Evidence['uploader'],
): Pick<ByChannel, 'permits_missing' | 'permits_made_up'> {
  const ours = countBy(
    permits.filter((permit) => permit.source === 'subscribe'),
    ({ open_id }) => open_id,
  )
  const told = countBy([...stored.values()], ({ openId }) => openId)
  return {
    permits_missing: [...told]
      .filter(([openId, n]) => (ours.get(openId) ?? 0) < n)
      .map(([open_id, n]) => ({ open_id, stored: n, permits: ours.get(open_id) ?? 0 })),
    permits_made_up: [
      ...[...ours]
        .filter(([openId, n]) => n > source.givenBy(openId))
        .map(([open_id, n]) => ({ open_id, taps: source.givenBy(open_id), permits: n })),
      ...messages.filter(({ errcode }) => errcode === REFUSED),
    ],
  }
}

function countBy<T>(rows: T[], keyOf: (row: T) => string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const row of rows) counts.set(keyOf(row), (counts.get(keyOf(row)) ?? 0) + 1)
  return counts
}
