import { DAY_MS } from '../lib/durations.js'
import type { SandboxControl } from '../sandbox/control.js'
import { JUNK_FORM_IDS, type SampleDay, type SampleUser } from './sample.js'

/** What was sent to the service, and what it answered. */
export interface Uploads {
  sent: number
  accepted: number
  duplicates: number
  rejected: number
  reasons: Map<string, number>
  signIns: number
}

export function emptyUploads(): Uploads {
  return { sent: 0, accepted: 0, duplicates: 0, rejected: 0, reasons: new Map(), signIns: 0 }
}

interface Target {
  url: string
  apiKey: string
  now(): number
}

interface UploadAnswer {
  accepted: number
  duplicates: number
  rejected: number
  results: { outcome: string; reason?: string }[]
}

/** One day's uploads and sign-ins, as a mini-program's backend would send them. */
export async function uploadDay(
  target: Target,
  wechat: SandboxControl,
  day: SampleDay,
  uploads: Uploads,
): Promise<void> {
  const items = day.submits.map((user) => item(user, wechat.issueFormId({ openId: user.openId })))
  const [first, second] = day.submits
  const junk = first ? JUNK_FORM_IDS.map((formId) => item(first, formId)) : []
  // Kept on a phone that was switched off for eight days.
  const stale = second
    ? [
        {
          ...item(second, wechat.issueFormId({ openId: second.openId })),
          submitted_at: target.now() - 8 * DAY_MS,
        },
      ]
    : []
  await upload(target, [...items, ...junk, ...stale], uploads)
  // A client that did not see the answer sends a part again.
  await upload(target, items.slice(0, Math.ceil(items.length / 10)), uploads)

  for (const { userId } of day.signIns) {
    await post(target, '/v1/sign-ins', { user_id: userId })
    uploads.signIns++
  }
}

function item({ userId, openId }: SampleUser, formId: string) {
  return { open_id: openId, user_id: userId, form_id: formId, page: 'pages/sign-in/index' }
}

async function upload(target: Target, items: object[], uploads: Uploads): Promise<void> {
  if (items.length === 0) return
  const answer = (await post(target, '/v1/form-ids', { items })) as UploadAnswer
  uploads.sent += items.length
  uploads.accepted += answer.accepted
  uploads.duplicates += answer.duplicates
  uploads.rejected += answer.rejected
  for (const { reason } of answer.results) {
    if (reason) uploads.reasons.set(reason, (uploads.reasons.get(reason) ?? 0) + 1)
  }
}

async function post({ url, apiKey }: Target, path: string, body: object): Promise<unknown> {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${apiKey}` },
    body: JSON.stringify(body),
  })
  if (response.status !== 201)
    throw new Error(`${path} answered ${response.status}: ${await response.text()}`)
  return response.json()
}
