import type { Account } from '../account.js'
import type { Finding } from '../findings/finding.js'
import type { Logger } from '../lib/logger.js'
import type { PlatformDeps } from '../platform/kept.js'
import type { Reason } from '../runs/reason.js'
import { examinePage } from './examine.js'
import { type Look, lookAtTemplate } from './look.js'

/**
 * Looks, once per run for all processes, whether its template is the account's and fits the texts. Returns why the run
 * must not send, undefined if it may. It may as well if WeChat does not tell: the first message will. Never throws.
 */
export async function lookBeforeRun(
  deps: PlatformDeps & { log: Logger },
  account: Account,
  run: { id: number },
  signal: AbortSignal,
): Promise<Reason | undefined> {
  const { log } = deps
  const about = { app_id: account.appId, run_id: run.id }
  const askedFor = `run-${run.id}`
  try {
    const isFresh = ({ asked_for }: { asked_for: string }): boolean => asked_for === askedFor
    const look = await lookAtTemplate(deps, account, { askedFor, isFresh }, signal)
    const missed = look.findings.filter(({ status }) => status === 'fail')
    for (const { reason } of missed.length === 0 ? warningsOf(account) : [])
      log.warn({ event: 'preflight.warned', ...about }, reason)
    if (!look.isCertain && look.listing.failure !== null)
      log.warn({ event: 'preflight.not_had', ...about, why: look.listing.failure }, describeLack(look))
    return look.isCertain && missed.length > 0 ? because(missed) : undefined
  } catch (error) {
    log.warn({ event: 'preflight.failed', ...about, err: error }, 'the run goes on without a preflight')
    return undefined
  }
}

function warningsOf(account: Account): Finding[] {
  return [examinePage(account)].filter(({ status }) => status === 'warn')
}

function describeLack({ listing, findings }: Look): string {
  if (listing.templates === undefined) return 'WeChat gave no list of templates: the run goes on without'
  const at = listing.listedAt === null ? '' : ` of ${new Date(listing.listedAt).toISOString()}`
  const verdict = findings.every(({ status }) => status !== 'fail')
    ? 'fits'
    : 'does not fit, and may be too old'
  return `WeChat gave no list of templates: the one${at} ${verdict}, and the run goes on`
}

/** What was found and what to do, for the run's row. */
function because(missed: Finding[]): Reason {
  return {
    en: missed.map(({ reason, fix }) => `${reason} ${fix ?? ''}`.trim()).join(' '),
    zh: missed.map(({ reason_zh, fix_zh }) => `${reason_zh}${fix_zh ?? ''}`).join(''),
    cause: 'preflight',
  }
}
