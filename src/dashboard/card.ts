import { opensOnTap, tapSettings } from '../reminders/tap.js'
import type { SubmittedMessage } from '../submitted/status-schemas.js'
import type { TemplateData } from '../wechat/messages.js'
import { type Html, html } from './html.js'
import type { Scribe } from './reader.js'

/**
 * A reminder as it comes up under WeChat's service notifications (服务通知). The titles of its lines are known to WeChat
 * alone, so its keys stand in their place.
 */
export function card(scribe: Scribe, data: TemplateData): Html {
  const { texts, account } = scribe
  const opens = opensOnTap(account)
  const texted = Object.entries(data).map(([key, { value }]): [string, string] => [key, value])
  const hint = opens === undefined ? texts.card.opensNothing(tapSettings(account.channel)) : undefined
  return notification(scribe, { channel: account.channel, headline: '签到提醒', texts: texted, opens, hint })
}

/** The same of a message that a backend submitted. `title` is that of its template, as far as WeChat has listed it. */
export function submittedCard(
  scribe: Scribe,
  { channel, page, data, template_id }: SubmittedMessage,
  title: string | undefined,
): Html {
  const { texts, account } = scribe
  const isOfficial = channel === 'official'
  return notification(scribe, {
    channel,
    headline: title ?? template_id,
    texts: Object.entries(data),
    opens: page || (isOfficial ? opensOnTap({ ...account, channel }) : undefined),
    hint: isOfficial ? texts.card.opensNothing(tapSettings(channel)) : texts.card.noPage,
  })
}

function notification(
  { texts: { card: t }, account }: Scribe,
  {
    channel,
    headline,
    texts,
    opens,
    hint,
  }: {
    channel: string
    headline: string
    texts: [key: string, text: string][]
    opens: string | undefined
    hint: string | undefined
  },
): Html {
  const open = channel === 'official' ? '查看详情' : '进入小程序查看'
  return html`<figure class="phone"><div class="notification" lang="zh-CN">
<p class="from"><span class="avatar" aria-hidden="true"></span><span>服务通知</span></p>
<div class="message">
<p class="app"><span class="mini" aria-hidden="true"></span>${account.appId}</p>
<p class="headline">${headline}</p>
<dl>${texts.map(([key, text]) => html`<div><dt>${key}</dt><dd>${text}</dd></div>`)}</dl>
${opens !== undefined && html`<p class="open"><span>${open}</span><span aria-hidden="true">›</span></p>`}
</div></div>
<figcaption>${opens === undefined ? hint : t.opens(opens)} ${t.keys}</figcaption></figure>`
}
