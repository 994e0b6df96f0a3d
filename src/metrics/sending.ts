import type { SendingObserver } from '../messages/observer.js'
import { classOf } from '../messages/policy.js'
import { emptyTally } from '../messages/tally.js'
import type { SendResult } from '../wechat/client.js'
import { type Instruments, SECONDS } from './instruments.js'

export function createSendingMetrics(instruments: Instruments): SendingObserver {
  const claimed = instruments.counter('claimed_users_total', 'Users claimed for a reminder.')
  const claims = instruments.histogram(
    'claim_duration_seconds',
    'Time that one claim of a batch of users took.',
    SECONDS,
  )
  const takenOver = instruments.counter(
    'messages_taken_over_total',
    'Messages taken over, because the lease of the process that had them lapsed (lapsed), or because their retry was due (due).',
    ['why'],
  )
  /** Accepted since the last scrape: nearly all of a run are, and this costs a fifth of what the counter does. */
  const accepted = new Map<string, number>()
  const sends = instruments.counter(
    'sends_total',
    'Requests that send a message, by channel and by the class and name of what came back.',
    ['channel', 'class', 'code'],
    function () {
      for (const [channel, n] of accepted) this.inc({ channel, class: 'ok', code: 'ok' }, n)
      accepted.clear()
    },
  )
  const retries = instruments.counter(
    'send_retries_total',
    'Those of the requests that send a message that were its second or a later attempt.',
    ['channel'],
  )
  const settled = instruments.counter(
    'messages_settled_total',
    'Verdicts written down, by the state they give the message; lost: another process had taken the message over.',
    ['state'],
  )
  for (const why of ['lapsed', 'due']) takenOver.inc({ why }, 0)
  for (const state of Object.keys(emptyTally())) settled.inc({ state }, 0)
  for (const channel of ['form_id', 'subscribe']) {
    sends.inc({ channel, class: 'ok', code: 'ok' }, 0)
    retries.inc({ channel }, 0)
  }

  return {
    claimed(users, seconds) {
      claimed.inc(users)
      claims.observe(seconds)
    },
    tookOver(lapsed, due) {
      takenOver.inc({ why: 'lapsed' }, lapsed)
      takenOver.inc({ why: 'due' }, due)
    },
    answered({ channel, attempts }, result) {
      if (result.kind === 'accepted') accepted.set(channel, (accepted.get(channel) ?? 0) + 1)
      else sends.inc({ channel, class: classOf(result), code: codeOf(result) })
      if (attempts > 0) retries.inc({ channel })
    },
    settled(tally) {
      for (const [state, messages] of Object.entries(tally))
        if (messages > 0) settled.inc({ state }, messages)
    },
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
