import type { Account } from '../account.js'
import type { Channel } from '../channel.js'
import type { Finding } from '../findings/finding.js'
import { HOUR_MS } from '../lib/durations.js'
import type { PlatformDeps } from '../platform/kept.js'
import type { KeptRow } from '../platform/store.js'
import { findTemplates, keptTemplates, type TemplateListing } from '../platform/templates.js'
import { examineTemplate } from './examine.js'

/** What a look at the account's templates has shown. */
export interface Look {
  /** Of the reminder's template; empty if there was no list to compare it with. */
  findings: Finding[]
  listing: TemplateListing
  /** The list is as WeChat has it at this moment, so that a miss is one. */
  isCertain: boolean
}

/** The account's other kind of message, whose ids are easily taken for those of this one. */
const OTHER: Record<Channel, Channel> = { form_id: 'subscribe', subscribe: 'form_id', official: 'subscribe' }

/**
 * Looks whether the reminder's template is the account's, by the kept list if it is fresh. A miss is looked at once more
 * with a list of now: the operator may just have added the template. Bounded in time, whatever WeChat does.
 */
export async function lookAtTemplate(
  deps: PlatformDeps,
  account: Account,
  wish: { askedFor?: string; isFresh(kept: KeptRow): boolean },
  signal: AbortSignal,
): Promise<Look> {
  let listing = await findTemplates(deps, account, wish, signal)
  let findings = compare(account, listing)
  if (hasFailed(findings) && !listing.isNew) {
    const isFresh = (): boolean => false
    listing = await findTemplates(deps, account, { ...wish, isFresh }, signal)
    findings = compare(account, listing)
  }
  const isCertain = listing.isNew && listing.failure === null
  if (isCertain && findings.some(({ finding }) => finding === 'template_not_of_account'))
    findings = compare(account, listing, await findElsewhere(deps, account, signal))
  return { findings, listing, isCertain }
}

/** The same by the kept list alone: nobody is asked. */
export async function lookAtKept(db: PlatformDeps['db'], account: Account): Promise<Look> {
  const listing = await keptTemplates(db, account)
  return { findings: compare(account, listing), listing, isCertain: false }
}

/** The same as it is kept. */
export function keptElsewhere(db: PlatformDeps['db'], { appId, channel }: Account): Promise<TemplateListing> {
  return keptTemplates(db, { appId, channel: OTHER[channel] })
}

/** For whoever looks now and then: a list this young will do. */
export function isYoung(now: number, ageMs: number): (kept: KeptRow) => boolean {
  return ({ answered_at, failure }) => failure === null && answered_at !== null && now - answered_at < ageMs
}

function hasFailed(findings: readonly Finding[]): boolean {
  return findings.some(({ status }) => status === 'fail')
}

function compare(account: Account, { templates }: TemplateListing, elsewhere?: TemplateListing): Finding[] {
  return templates === undefined ? [] : examineTemplate(account, templates, elsewhere?.templates)
}

/** The list of the other kind. Only after a miss, and kept as well. Without it, the miss is told all the same. */
export function findElsewhere(
  deps: PlatformDeps,
  { appId, channel }: Account,
  signal: AbortSignal,
): Promise<TemplateListing> {
  return findTemplates(
    deps,
    { appId, channel: OTHER[channel] },
    { isFresh: isYoung(deps.now(), HOUR_MS) },
    signal,
  )
}
