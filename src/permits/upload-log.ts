import type { Logger } from '../lib/logger.js'
import { permitMark } from '../lib/permit-mark.js'
import { type UserId, userIdToJson } from '../lib/user-id.js'

/** Which request it was, and for which account. */
interface RequestAbout {
  trace_id: string
  app_id: string
}

/** Logged at debug: which permits came with a request, so that their messages can be followed from it. */
export function logUpload(
  log: Logger,
  about: RequestAbout,
  results: { form_id?: string | null; prepay_id?: string | null; outcome: string }[],
): void {
  if (!log.isLevelEnabled('debug')) return
  const marksOf = (outcome: string): string[] =>
    results.flatMap((result) => {
      const name = result.form_id ?? result.prepay_id
      return result.outcome === outcome && name ? [permitMark(name)] : []
    })
  log.debug({
    event: 'permits.uploaded',
    ...about,
    accepted: marksOf('accepted'),
    duplicates: marksOf('duplicate'),
    rejected: results.filter(({ outcome }) => outcome === 'rejected').length,
  })
}

/** The same for subscriptions, whose permits have no name outside our tables: they are followed by their users. */
export function logSubscriptions(
  log: Logger,
  about: RequestAbout,
  reports: { userId: UserId | undefined; outcome: string | undefined }[],
): void {
  if (!log.isLevelEnabled('debug')) return
  const usersOf = (outcome: string): unknown[] =>
    reports.flatMap((report) =>
      report.outcome === outcome && report.userId !== undefined ? [userIdToJson(report.userId)] : [],
    )
  log.debug({
    event: 'subscriptions.reported',
    ...about,
    accepted_of_users: usersOf('accepted'),
    duplicates_of_users: usersOf('duplicate'),
    refused_of_users: usersOf('refused'),
  })
}
