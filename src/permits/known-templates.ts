import type { Account } from '../account.js'
import { ServiceError } from '../errors.js'

type Uploader = Pick<Account, 'appId' | 'channel'>
type TemplatesOfAccount = Pick<Account, 'channel' | 'templateId' | 'templates'>

/**
 * The templates whose subscriptions an account collects, the reminder's first. On form_id they are those of TEMPLATES,
 * which wait there for the day on which the account moves to subscribe: the reminder's own template is of the other
 * kind. Messages of a service account need no permit, so it collects none.
 */
export function subscriptionTemplates({ channel, templateId, templates }: TemplatesOfAccount): string[] {
  if (channel === 'official') return []
  const own = channel === 'subscribe' && templateId !== '' ? [templateId] : []
  const others = channel === 'subscribe' ? templates : templates.filter((id) => id !== templateId)
  return [...new Set([...own, ...others])]
}

export function takesSubscriptionsOf(account: TemplatesOfAccount, templateId: string): boolean {
  return subscriptionTemplates(account).includes(templateId)
}

/** For a report of a template whose permits nothing here would ever spend: which are known, and what to do. */
export function unknownTemplate(account: TemplatesOfAccount, templateId: string): ServiceError {
  const known = subscriptionTemplates(account)
  return new ServiceError(
    'unknown_template',
    `template_id: this account has no template ${templateId}; ${remedyOf(account, known)}`,
    { field: 'template_id', template_id: templateId, known },
  )
}

/**
 * Whether form_ids of the account may ever be spent. On subscribe they are what an account that moves can go back with; a
 * service account has neither forms nor the open_ids of a mini-program.
 */
export function takesFormIds({ channel }: Uploader): boolean {
  return channel !== 'official'
}

/** For a form_id or prepay_id that would be stored, counted and never spent. */
export function unusedFormId(
  { appId }: Uploader,
  { prepay_id }: { prepay_id?: string | null },
  pathOf: (field: string) => string,
): ServiceError {
  const field = pathOf(prepay_id === undefined ? 'form_id' : 'prepay_id')
  return new ServiceError(
    'unknown_template',
    `${field}: ${appId} sends as a service account (WX_CHANNEL=official), which needs no permits: upload form_ids with the app_id of the mini-program whose form it was`,
    { field, known: [] },
  )
}

function remedyOf({ channel }: TemplatesOfAccount, known: string[]): string {
  if (channel === 'official')
    return 'it sends as a service account (WX_CHANNEL=official), which needs no subscriptions'
  const takes =
    known.length === 0 ? 'it takes subscriptions to none' : `it takes subscriptions to: ${known.join(', ')}`
  return channel === 'subscribe'
    ? `${takes}. If messages use this one too, add it to TEMPLATES; if the reminder does, set REMINDER_TEMPLATE_ID`
    : `${takes}. To collect subscriptions while it still sends on form_id, add the template to TEMPLATES`
}
