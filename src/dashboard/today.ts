import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { businessDate } from '../lib/business-date.js'
import { firingsOn, parseCron } from '../lib/cron.js'
import { reminderRenderer } from '../messages/text.js'
import { windowEnd } from '../messages/window.js'
import { REMIND } from '../reminders/run.js'
import { findRun } from '../runs/occurrences.js'
import type { JobRun } from '../runs/run.js'
import { card } from './card.js'
import { badge, linkButton, panel } from './components.js'
import { type Html, html } from './html.js'
import { HOME } from './layout.js'
import type { Page, Reader, Scribe } from './reader.js'

export interface Today {
  date: number
  now: number
  /** Firings of today's run, in ms. */
  firings: number[]
  closesAt: number
  run: JobRun | undefined
}

export async function findToday(db: Knex, account: Account, now: number): Promise<Today> {
  const date = businessDate(now, account.timezone)
  return {
    date,
    now,
    firings: firingsOn(parseCron(account.remindCron), date, account.timezone),
    closesAt: windowEnd(account, date),
    run: await findRun(db, { job: REMIND, appId: account.appId, slot: date }),
  }
}

export function todayPage(reader: Reader, today: Today): Page {
  const { texts, format, account } = reader
  const t = texts.today
  return {
    title: t.title,
    section: 'today',
    body: html`<div class="head"><h1>${format.day(today.date)}</h1><p>${t.zone(account.timezone)}</p></div>
<div class="columns"><div class="stack">
<section class="panel hero"><div>${live(reader, today)}</div>
<div class="buttons">${linkButton(`${HOME}/run`, t.run, 'main')}${linkButton(`${HOME}/plan`, t.plan)}</div></section>
</div>${preview(reader, today)}</div>`,
  }
}

function live({ texts, format }: Scribe, { run, firings }: Today): Html {
  const t = texts.today
  const state = run?.state ?? (firings.length > 0 ? 'planned' : 'none')
  return html`<div class="state">${badge('quiet', t.states[state])}</div>
<p class="answer">${firings[0] === undefined ? t.answers.none : t.answers.planned(format.time(firings[0]))}</p>`
}

/** A streak to show the text with: a week is a streak that people know. */
const SAMPLE_STREAK = 7

function preview(reader: Reader, { date }: Today): Html {
  const { texts, format, account } = reader
  const t = texts.today
  if (account.templateId === '') return panel(t.cardTitle, html`<p class="empty">${t.cardOff}</p>`)
  return panel(
    t.cardTitle,
    card(reader, { page: account.page, data: reminderRenderer(account.data, date)(SAMPLE_STREAK) }),
    { note: t.cardOf(format.number(SAMPLE_STREAK)) },
  )
}
