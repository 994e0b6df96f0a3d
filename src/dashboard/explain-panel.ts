import { toIsoDate } from '../lib/business-date.js'
import type { Explanation } from '../reminders/explain.js'
import type { Outcome } from '../reminders/explain-verdict.js'
import { badge, panel, type Tone } from './components.js'
import { type Html, html } from './html.js'
import { icon } from './icons.js'
import type { Reader } from './reader.js'

const TONES: Partial<Record<Outcome, Tone>> = {
  will_be_reminded: 'good',
  reminded: 'good',
  being_sent: 'info',
  signed_in: 'good',
  failed: 'bad',
  run_halted: 'bad',
  run_missed: 'bad',
  not_known: 'quiet',
}

/** Why the user was, was not, will or will not be reminded on a day, and a way to ask for another day. */
export function explainPanel(
  { texts }: Reader,
  { why, today, fault }: { why: Explanation | undefined; today: number; fault?: string },
): Html {
  const t = texts.user
  const asked = why?.date ?? toIsoDate(today)
  return panel(
    t.explain,
    html`<form method="get" class="form row"><div class="field"><label for="date">${t.day}</label><input type="date" id="date" name="date" value="${asked}" required></div><button class="other">${t.explainButton}</button></form>
${fault && html`<p class="fault" role="alert">${fault}</p>`}
${why && answer({ texts }, why)}`,
    { kind: 'why' },
  )
}

function answer({ texts }: Pick<Reader, 'texts'>, why: Explanation): Html {
  const t = texts.user
  const isChinese = texts.frame.language_tag === 'zh'
  const tone = TONES[why.outcome] ?? 'warn'
  return html`<p>${badge(tone, t.outcomes[why.outcome])}</p>
<p class="sentence">${isChinese ? why.sentence_zh : why.sentence}</p>
<h3>${t.checks}</h3>
<ol class="checks">${why.checks.map(
    ({ name, ok, detail, detail_zh }) =>
      html`<li class="${ok ? 'good' : tone === 'good' ? 'info' : 'bad'}">${icon(ok ? 'ok' : tone === 'good' ? 'next' : 'stop')}<div>${t.checkNames[name]}<span class="unseen">: ${ok ? t.checkStates.ok : t.checkStates.bad}</span><small>${isChinese ? detail_zh : detail}</small></div></li>`,
  )}</ol>`
}
