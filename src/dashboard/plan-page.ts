import type { Account } from '../account.js'
import { needsPermit } from '../channel.js'
import { card } from './card.js'
import { facts, linkButton, pageHead, panel, table } from './components.js'
import { html } from './html.js'
import type { CountedPlan } from './planner.js'
import type { Page, Reader } from './reader.js'
import { userPath } from './user-page.js'

/** Where nobody stands on a service account. */
const FOR_WANT_OF_PERMIT = ['no_permit', 'no_valid_permit']

/** What a run would do now; undefined while it is being counted. */
export function planPage(
  account: Pick<Account, 'channel'>,
  reader: Reader,
  counted: CountedPlan | undefined,
): Page {
  const { texts, format } = reader
  const t = texts.today
  const head = pageHead(t.planTitle, t.planLead)
  const back = html`<div class="buttons">${linkButton(reader.home, texts.frame.backToToday)}</div>`
  const frame = { title: t.planTitle, section: 'today' } as const
  if (!counted)
    return {
      ...frame,
      refreshSeconds: 2,
      body: html`${head}<section class="panel"><p role="status">${t.planCounting}</p></section>${back}`,
    }
  const { plan, at } = counted
  const [first] = plan.sample
  const rows = Object.entries(t.planOf)
    .filter(([cause]) => needsPermit(account.channel) || !FOR_WANT_OF_PERMIT.includes(cause))
    .map(([cause, words]): [string, string] => [
      words,
      format.number(plan.skipped[cause as keyof typeof plan.skipped]),
    ])
  return {
    ...frame,
    body: html`${head}
<section class="panel hero"><p class="answer">${plan.due === 0 ? t.planNobody : t.planDue(format.number(plan.due))}</p><p class="hint">${t.planAt(format.time(at))}</p>${back}</section>
<div class="columns"><div class="stack">${panel(t.planSkipped, facts(rows))}
${
  first &&
  panel(
    t.planSample,
    table(
      t.planSample,
      [
        {
          title: texts.user.title,
          cell: ({ user_id }) => html`<a href="${userPath(reader)}/${user_id}">${user_id}</a>`,
        },
        {
          title: t.cardTitle,
          cell: ({ data }) =>
            Object.values(data)
              .map(({ value }) => value)
              .join(' · '),
        },
      ],
      plan.sample,
      t.planNobody,
    ),
  )
}</div>
${
  first &&
  panel(t.cardTitle, card(reader, first.data), {
    note: t.planSampleOf(String(first.user_id)),
  })
}</div>`,
  }
}
