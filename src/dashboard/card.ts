import { opensOnTap, tapSettings } from '../reminders/tap.js'
import type { TemplateData } from '../wechat/messages.js'
import { type Html, html } from './html.js'
import type { Scribe } from './reader.js'

/**
 * A reminder as it comes up under WeChat's service notifications (服务通知). The titles of its lines are known to WeChat
 * alone, so its keys stand in their place.
 */
export function card({ texts, account }: Scribe, data: TemplateData): Html {
  const t = texts.card
  const opens = opensOnTap(account)
  const open = account.channel === 'official' ? '查看详情' : '进入小程序查看'
  return html`<figure class="phone"><div class="notification" lang="zh-CN">
<p class="from"><span class="avatar" aria-hidden="true"></span><span>服务通知</span></p>
<div class="message">
<p class="app"><span class="mini" aria-hidden="true"></span>${account.appId}</p>
<p class="headline">签到提醒</p>
<dl>${Object.entries(data).map(([key, { value }]) => html`<div><dt>${key}</dt><dd>${value}</dd></div>`)}</dl>
${opens !== undefined && html`<p class="open"><span>${open}</span><span aria-hidden="true">›</span></p>`}
</div></div>
<figcaption>${opens === undefined ? t.opensNothing(tapSettings(account.channel)) : t.opens(opens)} ${t.keys}</figcaption></figure>`
}
