import { DAY_MS } from '../lib/durations.js'
import type { SandboxControl } from '../sandbox/control.js'
import { type Backend, post } from './client.js'
import type { SampleUser } from './sample.js'

/** What was uploaded, and what the service answered. */
export interface Uploads {
  sent: number
  accepted: number
  duplicates: number
  rejected: number
  reasons: Map<string, number>
}

export function emptyUploads(): Uploads {
  return { sent: 0, accepted: 0, duplicates: 0, rejected: 0, reasons: new Map() }
}

/** Strings that real clients were seen to upload instead of a form_id. */
const JUNK_FORM_IDS = [
  'the formId is a mock one',
  'requestFormId:fail deprecated',
  'undefined',
  'the formId is no longer available in develop or trial version of this mini program',
]

interface UploadAnswer {
  accepted: number
  duplicates: number
  rejected: number
  results: { outcome: string; reason?: string }[]
}

/** Each visitor submits the form once; careless clients send more than that. */
export async function uploadFormIds(
  backend: Backend,
  wechat: SandboxControl,
  { appId, visitors, now }: { appId: string; visitors: SampleUser[]; now: number },
  uploads: Uploads,
): Promise<void> {
  const submit = ({ openId }: SampleUser) => wechat.issueFormId({ appId, openId })
  const items = visitors.map((user) => item(user, submit(user)))
  const [first, second] = visitors
  const junk = first ? JUNK_FORM_IDS.map((formId) => item(first, formId)) : []
  // Kept on a phone that was switched off for eight days.
  const stale = second ? [{ ...item(second, submit(second)), submitted_at: now - 8 * DAY_MS }] : []
  await upload(backend, [...items, ...junk, ...stale], uploads)
  // A client that did not see the answer sends a part again.
  await upload(backend, items.slice(0, Math.ceil(items.length / 10)), uploads)
}

function item({ userId, openId }: SampleUser, formId: string) {
  return { open_id: openId, user_id: userId, form_id: formId, page: 'pages/sign-in/index' }
}

async function upload(backend: Backend, items: object[], uploads: Uploads): Promise<void> {
  if (items.length === 0) return
  const answer = (await post(backend, '/v1/form-ids', { items })) as UploadAnswer
  uploads.sent += items.length
  uploads.accepted += answer.accepted
  uploads.duplicates += answer.duplicates
  uploads.rejected += answer.rejected
  for (const { reason } of answer.results) {
    if (reason) uploads.reasons.set(reason, (uploads.reasons.get(reason) ?? 0) + 1)
  }
}
