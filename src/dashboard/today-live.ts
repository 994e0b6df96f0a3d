import type { RunError, RunStatus } from '../reminders/status.js'
import { codeOf, inLanguage, meaningOf, withCode } from './answers.js'
import { badge, bar, callout, type Figure, figures, panel, type Share, table } from './components.js'
import { type Html, html } from './html.js'
import type { Scribe } from './reader.js'
import { answerOf, expectedOf, type Today } from './today.js'

/**
 * What changes while a run is under way: the answer, and below the actions the details. Neither has a form, so that
 * they can be drawn once for all readers of a language.
 */
export function liveParts(scribe: Scribe, today: Today): { answer: Html; details: Html } {
  const { status } = today
  return {
    answer: answer(scribe, today),
    details: html`${status.run_id !== null && html`${skipped(scribe, status)}${errors(scribe, status)}`}`,
  }
}

function answer(scribe: Scribe, today: Today): Html {
  const { texts } = scribe
  const t = texts.today
  const { status } = today
  const { tone, symbol, sentence, state } = answerOf(scribe, today)
  return html`<section class="panel hero"><div class="state">${badge(tone, t.states[state], symbol)}${times(scribe, status)}</div>
<p class="answer" role="status">${sentence}</p>
${why(scribe, status, state === 'planned' || state === 'none')}
${shortQuota(scribe, status)}
${status.run_id !== null && status.state !== 'missed' && numbers(scribe, status)}</section>`
}

function times({ texts, format }: Scribe, status: RunStatus): Html | undefined {
  const { started_at, finished_at, triggered_by, rate_per_second } = status
  if (started_at === null || status.state === 'missed') return undefined
  const t = texts.today
  const triggers: Record<string, string> = t.triggers
  const [began, ended] = [Date.parse(started_at), finished_at === null ? undefined : Date.parse(finished_at)]
  const parts = [
    `${t.began(format.time(began))}${triggered_by === null ? '' : `, ${triggers[triggered_by] ?? triggered_by}`}`,
    ...(ended === undefined ? [] : [t.ended(format.time(ended)), t.took(format.duration(ended - began))]),
    ...(rate_per_second ? [t.rate(format.number(rate_per_second))] : []),
    ...expectedEnd({ texts, format }, status),
  ]
  return html`<span>${parts.join(' · ')}</span>`
}

function expectedEnd(
  { texts, format }: Pick<Scribe, 'texts' | 'format'>,
  { expected_finish_at, expected_end }: RunStatus,
): string[] {
  if (expected_finish_at === null) return []
  const { finish, runsOut, cutOff } = texts.today
  const say = { done: finish, quota: runsOut, window_closed: cutOff }[expected_end ?? 'done']
  return [say(format.time(Date.parse(expected_finish_at)))]
}

/** Said before and during a run that will not fit into what WeChat still takes today. */
function shortQuota({ texts }: Scribe, { quota }: RunStatus): Html | undefined {
  if (!quota || quota.note === null || quota.note_zh === null) return undefined
  const note = inLanguage(texts, { en: quota.note, zh: quota.note_zh })
  return callout('warn', texts.today.quotaShort, html`<p>${note}</p>`)
}

/** Cause and remedy, where there is something to say. */
function why({ texts }: Scribe, status: RunStatus, isExpected: boolean): Html | undefined {
  const isChinese = texts.frame.language_tag === 'zh'
  const reason = isChinese ? status.reason_zh : status.reason
  const remedy = isChinese ? status.remedy_zh : status.remedy
  if (reason === null || isExpected) return undefined
  const t = texts.today
  const tone = status.state === 'halted' || status.state === 'missed' ? 'bad' : 'warn'
  return html`${callout(tone, t.cause, html`<p>${withCode(reason)}</p>`)}
${remedy !== null && callout('info', t.remedy, html`<p>${withCode(remedy)}</p>`)}`
}

function numbers({ texts, format }: Scribe, status: RunStatus): Html {
  const t = texts.today
  const { delivered, failed, unknown, cancelled } = status
  const underWay = status.retrying + status.in_hand
  const all = expectedOf(status)
  const left = all - delivered - failed - unknown - underWay
  const shares: Share[] = [
    { label: t.delivered, value: delivered, tone: 'good' },
    { label: t.failed, value: failed, tone: 'bad' },
    { label: t.unknown, value: unknown, tone: 'warn' },
    { label: t.waitingFor, value: underWay, tone: 'info' },
    { label: t.left, value: left, tone: 'quiet' },
  ]
  const always = new Set([t.delivered, t.failed])
  const shown: Figure[] = shares
    .filter(({ label, value }) => value > 0 || always.has(label))
    .map(({ label, value, tone }) => ({
      label,
      value: format.number(value),
      tone,
      ...(label === t.unknown ? { note: t.unknownNote } : {}),
    }))
  if (cancelled > 0)
    shown.push({ label: t.cancelled, value: format.number(cancelled), note: t.cancelledNote })
  return html`${bar(shares, all)}${figures(shown)}`
}

const CAUSES = ['signed_in', 'no_permit', 'no_valid_permit', 'opted_out', 'blocked'] as const

function skipped({ texts, format }: Scribe, { skipped: counts }: RunStatus): Html {
  const t = texts.today
  if (counts.as_of === null) return panel(t.skippedTitle, html`<p class="empty">${t.skippedNotYet}</p>`)
  const list = CAUSES.flatMap((cause) => {
    const users = counts[cause]
    return users === null ? [] : [{ cause, users }]
  })
  const most = Math.max(1, ...list.map(({ users }) => users))
  return panel(
    t.skippedTitle,
    html`<ul class="reasons">${list.map(
      ({ cause, users }) =>
        html`<li><div class="line"><span>${t.skipped[cause]}</span><span>${format.number(users)}</span></div>${bar([{ label: t.skipped[cause], value: users, tone: cause === 'signed_in' ? 'good' : 'quiet' }], most)}</li>`,
    )}</ul>`,
    { note: t.skippedAsOf(format.time(Date.parse(counts.as_of))) },
  )
}

const ERRORS_SHOWN = 5

function errors({ texts, format, home }: Scribe, { errors: all, date }: RunStatus): Html {
  const t = texts.today
  const e = texts.errors
  return panel(
    t.errorsTitle,
    html`${table<RunError>(
      t.errorsTitle,
      [
        { title: e.code, cell: codeOf },
        { title: e.meaning, wide: true, cell: (error) => meaningOf(texts, error) },
        { title: e.outcome, cell: ({ outcome }) => e.outcomes[outcome] ?? outcome },
        { title: e.count, numeric: true, cell: ({ count }) => format.number(count) },
      ],
      all.slice(0, ERRORS_SHOWN),
      t.errorsNone,
    )}${all.length > 0 && html`<p><a href="${home}/errors?date=${date}">${t.errorsMore}</a></p>`}`,
  )
}
