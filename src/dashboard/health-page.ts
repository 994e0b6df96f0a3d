import type { Finding } from '../findings/finding.js'
import type { ActionRow } from './action-store.js'
import { badge, facts, pageHead, panel, type Tone, table } from './components.js'
import { findingList } from './finding-list.js'
import type { Health } from './health.js'
import { type Html, html, type Part } from './html.js'
import { formFields } from './layout.js'
import type { Page, Reader, Scribe } from './reader.js'

/** `findings` are shown once the checks were asked for. */
export function healthPage(reader: Reader, health: Health, findings?: Finding[]): Page {
  const { texts, account } = reader
  const t = texts.health
  return {
    title: t.title,
    section: 'health',
    body: html`${pageHead(t.title, t.lead)}
<div class="columns even">
${panel(t.connections, connections(reader, health))}
<div class="stack">${panel(t.next, next(reader, health), { note: t.nextNote(account.timezone) })}
${checks(reader, findings)}</div></div>
${preflight(reader, health)}
${panel(t.instances, instances(reader, health), { note: t.instancesNote })}
${panel(texts.actions.title, actions(reader, health.actions), { note: texts.actions.note })}`,
  }
}

function connections({ texts, format, account }: Scribe, health: Health): Html {
  const t = texts.health
  const { token, view, lastEvent, database, now } = health
  const deaths = view.tokenCounters.earlyDeaths
  const list: [Part, Part][] = [
    [t.token, tokenFact(t, format, token)],
    ...(token ? [[t.tokenAge, format.duration(token.ageMs)] satisfies [Part, Part]] : []),
    [t.refresher, token?.isBeingFetched ? t.refreshing : t.idle],
    [
      t.other,
      deaths.count === 0
        ? t.otherNone
        : html`${badge('warn', texts.health.checkStates.warn)} ${t.otherSeen(format.number(deaths.count), format.dateTime(deaths.firstAt ?? now))}`,
    ],
    [t.quota, quota(t, format, health)],
    [t.callback, callbackFact(t, format, account.callback.token !== '', lastEvent, now)],
    [t.database, html`${database.version}<br>${badge('good', t.answered(format.duration(database.ms)))}`],
    [t.pool, t.poolOf(format.number(database.pool.used), format.number(database.pool.max))],
    [t.redis, redisFact(t, format, view)],
  ]
  return facts(list)
}

type T = Scribe['texts']['health']
type F = Scribe['format']

function tokenFact(t: T, format: F, token: Health['token']): Part {
  if (!token) return badge('quiet', t.tokenNone)
  if (token.remainingMs <= 0) return badge('quiet', t.tokenOver)
  return badge('good', t.tokenGood(format.duration(token.remainingMs)))
}

function callbackFact(t: T, format: F, isOn: boolean, last: number | null, now: number): Part {
  if (!isOn) return t.callbackOff
  if (last === null) return t.callbackNever
  return t.callbackLast(format.dateTime(last), format.duration(now - last))
}

function redisFact(t: T, format: F, { redis }: Health['view']): Part {
  if (!redis.isSet) return t.redisOff
  return redis.sendRate === undefined ? t.redisNoRate : t.redisRate(format.number(redis.sendRate))
}

function next({ texts, format }: Scribe, { next: firings, now }: Health): Html {
  const t = texts.health
  return facts(
    (['remind', 'expire', 'purge'] as const).map((job) => {
      const at = firings[job]
      return [
        t.jobs[job],
        at === undefined
          ? t.never
          : html`${format.dateTime(at)}<br><small class="hint">${t.inTime(format.duration(at - now))}</small>`,
      ]
    }),
  )
}

function checks(reader: Reader, findings: Finding[] | undefined): Html {
  const t = reader.texts.health
  return panel(
    t.checks,
    html`${findings && findingList(reader, findings)}<form method="post" action="${reader.home}/health/checks">${formFields(reader)}<button class="other">${t.checksButton}</button></form>`,
    { note: t.checksNote },
  )
}

/** By the kept list of templates: the page asks WeChat for nothing. */
function preflight(reader: Reader, { preflight: { findings, listedAt }, now }: Health): Html {
  const { texts, format } = reader
  const t = texts.health
  const note =
    listedAt === null
      ? t.preflightNever
      : t.preflightAsOf(format.dateTime(listedAt), format.duration(now - listedAt))
  return panel(t.preflight, findingList(reader, findings), { note })
}

function quota(t: T, format: F, { isQuotaUp, quota: left }: Health): Part {
  const state = isQuotaUp ? badge('warn', t.quotaUp) : badge('good', t.quotaGood)
  if (!left) return state
  const numbers = t.quotaLeft(
    format.number(left.left),
    format.number(left.daily_limit),
    format.number(left.reserved),
  )
  return html`${left.enough ? state : badge('warn', t.quotaShort)}<br>${numbers}<br><small class="hint">${t.quotaAsked(format.dateTime(Date.parse(left.asked_at)))}</small>`
}

function instances({ texts, format }: Scribe, health: Health): Html {
  const t = texts.health
  return table(
    t.instances,
    [
      { title: t.state, cell: ({ alive }) => (alive ? badge('good', t.alive) : badge('warn', t.gone)) },
      { title: t.instance, cell: ({ host, pid }) => html`${host} <small>pid ${pid}</small>` },
      { title: t.version, cell: ({ version }) => version },
      { title: t.started, cell: ({ started_at }) => format.dateTime(Date.parse(started_at)) },
      { title: t.seen, cell: ({ seen_at }) => format.dateTime(Date.parse(seen_at)) },
    ],
    health.instances,
    t.noInstances,
  )
}

const OUTCOMES: Record<ActionRow['outcome'], Tone> = { done: 'good', failed: 'bad', started: 'warn' }

function actions({ texts, format }: Scribe, rows: ActionRow[]): Html {
  const t = texts.actions
  const names: Record<string, string> = t.names
  return table(
    t.title,
    [
      { title: t.when, cell: ({ at }) => format.dateTime(at) },
      { title: t.who, cell: ({ who }) => who },
      { title: t.from, cell: ({ from_address }) => from_address },
      { title: t.what, cell: ({ action, details }) => html`${names[action] ?? action}${detailsOf(details)}` },
      {
        title: t.outcome,
        cell: ({ outcome, note }) =>
          html`${badge(OUTCOMES[outcome], t.outcomes[outcome])}${note && html`<small>${note}</small>`}`,
      },
    ],
    rows,
    t.empty,
  )
}

function detailsOf(json: string): Html | undefined {
  const details = Object.entries(JSON.parse(json) as Record<string, unknown>).filter(
    ([, value]) => value !== null,
  )
  return details.length === 0
    ? undefined
    : html`<small>${details.map(([name, value]) => `${name} ${String(value)}`).join(', ')}</small>`
}
