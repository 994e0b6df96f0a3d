import type { Finding } from '../findings/finding.js'
import { withCode } from './answers.js'
import { badge, type Tone } from './components.js'
import { type Html, html } from './html.js'
import type { Scribe } from './reader.js'

const TONES: Record<Finding['status'], Tone> = { ok: 'good', warn: 'warn', fail: 'bad' }

/** What checks have found, each with what to do and the name under which docs/troubleshooting.md has it. */
export function findingList({ texts }: Scribe, findings: readonly Finding[]): Html {
  const { language_tag, colon } = texts.frame
  const isChinese = language_tag === 'zh'
  return html`<ul class="checks">${findings.map(({ name, status, finding, ...text }) => {
    const reason = isChinese ? text.reason_zh : text.reason
    const fix = isChinese ? text.fix_zh : text.fix
    return html`<li><div>${badge(TONES[status], texts.health.checkStates[status])} <strong>${name}</strong>${colon}${reason} ${fix && html`<em>${withCode(fix)}</em>`}${finding && html` <code>${finding}</code>`}</div></li>`
  })}</ul>`
}
