import type { Account } from '../account.js'
import type { SendingObserver } from '../messages/observer.js'
import { classOf } from '../messages/policy.js'
import { emptyTally } from '../messages/tally.js'
import type { SendResult } from '../wechat/client.js'
import { type Instruments, SECONDS } from './instruments.js'

/** Returns what an account's sending reports to. */
export function createSendingMetrics(
  instruments: Instruments,
): (account: Pick<Account, 'appId' | 'channel'>) => SendingObserver {
  const claimed = instruments.counter('claimed_users_total', 'Users claimed for a reminder.', ['app_id'])
  const claims = instruments.histogram(
    'claim_duration_seconds',
    'Time that one claim of a batch of users took.',
    SECONDS,
    ['app_id'],
  )
  const takenOver = instruments.counter(
    'messages_taken_over_total',
    'Messages taken over, because the lease of the process that had them lapsed (lapsed), or because their retry was due (due).',
    ['app_id', 'why'],
  )
  /** Accepted since the last scrape: nearly all of a run are, and this costs a fifth of what the counter does. */
  const accepted = new Map<string, Map<string, number>>()
  const sends = instruments.counter(
    'sends_total',
    'Requests that send a message, by channel and by the class and name of what came back.',
    ['app_id', 'channel', 'class', 'code'],
    function () {
      for (const [app_id, byChannel] of accepted) {
        for (const [channel, n] of byChannel) this.inc({ app_id, channel, class: 'ok', code: 'ok' }, n)
        byChannel.clear()
      }
    },
  )
  const retries = instruments.counter(
    'send_retries_total',
    'Those of the requests that send a message that were its second or a later attempt.',
    ['app_id', 'channel'],
  )
  const settled = instruments.counter(
    'messages_settled_total',
    'Verdicts written down, by the state they give the message; lost: another process had taken the message over.',
    ['app_id', 'state'],
  )

  return ({ appId: app_id, channel }) => {
    const ok = accepted.get(app_id) ?? new Map<string, number>()
    accepted.set(app_id, ok)
    // A series that begins with its first event hides that event from rate().
    claimed.inc({ app_id }, 0)
    for (const why of ['lapsed', 'due']) takenOver.inc({ app_id, why }, 0)
    for (const state of Object.keys(emptyTally())) settled.inc({ app_id, state }, 0)
    sends.inc({ app_id, channel, class: 'ok', code: 'ok' }, 0)
    retries.inc({ app_id, channel }, 0)
    return {
      claimed(users, seconds) {
        claimed.inc({ app_id }, users)
        claims.observe({ app_id }, seconds)
      },
      tookOver(lapsed, due) {
        takenOver.inc({ app_id, why: 'lapsed' }, lapsed)
        takenOver.inc({ app_id, why: 'due' }, due)
      },
      answered({ channel, attempts }, result) {
        if (result.kind === 'accepted') ok.set(channel, (ok.get(channel) ?? 0) + 1)
        else sends.inc({ app_id, channel, class: classOf(result), code: codeOf(result) })
        if (attempts > 0) retries.inc({ app_id, channel })
      },
      settled(tally) {
        for (const [state, messages] of Object.entries(tally))
          if (messages > 0) settled.inc({ app_id, state }, messages)
      },
    }
  }
}

/**
 * The name of an answer. Names are bounded: WeChat's codes by the table of errcodes, all others under one name, and
 * HTTP statuses by their hundreds.
 */
function codeOf(result: Exclude<SendResult, { kind: 'accepted' }>): string {
  const name = result.kind === 'refused' ? nameOf(result.entry) : result.reason
  return name.replace(/^http_(\d)\d\d$/, 'http_$1xx')
}

function nameOf(entry: { class: string; name: string }): string {
  return entry.class === 'unknown' ? 'unknown' : entry.name
}
