import { needsPermit } from '../channel.js'
import { parseIsoDate } from '../lib/business-date.js'
import { maskOpenId } from '../lib/redact.js'
import type { UserDetail } from '../user-data/schemas.js'
import { day, meaningOf } from './answers.js'
import { badge, figures, linkButton, pageHead, panel, table } from './components.js'
import { type Html, html, type Part } from './html.js'
import { formFields } from './layout.js'
import type { Page, Reader, Scribe } from './reader.js'
import { timeline } from './timeline.js'

export const userPath = ({ home }: Scribe): string => `${home}/user`

/** Where somebody is looked up. `fault` says why nobody was found. */
export function lookUpPage(
  reader: Reader,
  asked: { who?: string; fault?: string; found?: string[] } = {},
): Page {
  const t = reader.texts.user
  return {
    title: t.title,
    section: 'user',
    body: html`${pageHead(t.title, t.lead)}
${lookUpForm(reader, asked)}
${
  asked.found &&
  panel(
    t.several,
    html`<ul>${asked.found.map((id) => html`<li><a href="${userPath(reader)}/${id}">${t.name(id)}</a></li>`)}</ul>`,
  )
}`,
  }
}

function lookUpForm(reader: Reader, { who, fault }: { who?: string; fault?: string }): Html {
  const t = reader.texts.user
  return html`<form method="post" action="${userPath(reader)}" class="panel form">${formFields(reader)}
<div class="form row"><div class="field"><label for="who">${t.field}</label><input id="who" name="who" value="${who}" autocomplete="off" spellcheck="false" maxlength="100" required aria-describedby="who-hint"></div><button class="main">${t.button}</button></div>
<p class="hint" id="who-hint">${t.fieldHint}</p>
${fault && html`<p class="fault" role="alert">${fault}</p>`}</form>`
}

/** All about one user. `why` is the explanation of a day. */
export function userPage(reader: Reader, user: UserDetail, why: Part): Page {
  const { texts } = reader
  const t = texts.user
  const id = String(user.user_id)
  return {
    title: t.name(id),
    section: 'user',
    body: html`${pageHead(t.name(id), openIds(reader, user))}
${panel(t.reach, html`${reach(reader, user)}${numbers(reader, user)}${change(reader, user)}`)}
<div class="columns"><div class="stack">${why}
${panel(t.timeline, timeline(reader, user), { note: t.timelineNote })}</div>
${needsPermit(reader.account.channel) && html`<div class="stack">${panel(t.permits, groups(reader, user))}</div>`}</div>`,
  }
}

function openIds({ texts }: Scribe, { open_ids }: UserDetail): Html {
  const t = texts.user
  if (open_ids.length === 0) return html`${t.persons}: ${t.noPerson}`
  return html`${t.persons}: ${open_ids.map(({ open_id }, i) => html`${i > 0 && ', '}<code>${maskOpenId(open_id)}</code>`)}`
}

function reach({ texts, format }: Scribe, { stops }: UserDetail): Html {
  const t = texts.user
  if (stops.length === 0) return html`<p>${badge('good', t.reachable)}</p>`
  return html`<div class="stack">${stops.map(
    ({ kind, since_at, answer }) =>
      html`<p>${badge('warn', t.stops[kind] ?? kind)} ${t.since(format.dateTime(Date.parse(since_at)))}${answer && html`<small class="note"> · ${answer.errcode} ${meaningOf(texts, answer)}</small>`}</p>`,
  )}</div>`
}

function numbers({ texts, format, account }: Scribe, user: UserDetail): Html {
  const t = texts.user
  const { counter, permits, sign_ins } = user
  const [first] = permits.groups
  const last = counter?.last_date ? parseIsoDate(counter.last_date) : undefined
  const permitsLeft = {
    label: t.permitsLeft,
    value: format.number(counter?.count ?? 0),
    note: first && (first.expires_on ? t.nextEnd(day(format, first.expires_on)) : t.noEnd),
  }
  return figures([
    ...(needsPermit(account.channel) ? [permitsLeft] : []),
    {
      label: t.streak,
      value: format.number(sign_ins.signed_in ? sign_ins.streak : sign_ins.streak_before),
      note: sign_ins.signed_in ? t.signedIn : t.notSignedIn,
    },
    { label: t.lastDate, value: last === undefined ? t.never : format.shortDay(last) },
  ])
}

function change(reader: Reader, { user_id, stops, open_ids }: UserDetail): Html {
  const t = reader.texts.user
  const path = `${userPath(reader)}/${user_id}`
  if (open_ids.length === 0) return html`<p class="hint">${t.notBound}</p>`
  const isStopped = stops.length > 0
  return html`<div class="buttons">${isStopped ? linkButton(`${path}/bring-back`, t.bringBack.open) : linkButton(`${path}/opt-out`, t.optOut.open)}</div>`
}

function groups({ texts, format }: Scribe, { permits }: UserDetail): Html {
  const t = texts.user
  return table(
    t.permits,
    [
      { title: t.until, cell: (group) => (group.expires_on ? day(format, group.expires_on) : t.forEver) },
      { title: t.source, cell: ({ source }) => t.sources[source] ?? source },
      { title: t.count, numeric: true, cell: (group) => format.number(group.permits) },
    ],
    permits.groups,
    t.noPermits,
  )
}
