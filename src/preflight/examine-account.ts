import type { Account } from '../account.js'
import { type Finding, toFinding } from '../findings/finding.js'
import { HOUR_MS } from '../lib/durations.js'
import type { PlatformDeps } from '../platform/kept.js'
import type { TemplateListing } from '../platform/templates.js'
import type { Template } from '../wechat/templates.js'
import { examinePage } from './examine.js'
import { findElsewhere, isYoung, keptElsewhere, type Look, lookAtKept, lookAtTemplate } from './look.js'

/** A list this old is good enough for whoever looks: WeChat's quota for it is small. */
const LIST_AGE_MS = HOUR_MS

/**
 * What the doctor says of the reminder's template and of the further ones. Asks WeChat for the list if the kept one is
 * older than an hour or has a miss; without a token only the kept one counts. Bounded in time.
 */
export async function examineAccount(
  deps: PlatformDeps,
  account: Account,
  hasToken: boolean,
): Promise<Finding[]> {
  const { signal } = new AbortController()
  const look = hasToken
    ? await lookAtTemplate(deps, account, { isFresh: isYoung(deps.now(), LIST_AGE_MS) }, signal)
    : await lookAtKept(deps.db, account)
  return describe(account, look, () =>
    hasToken ? findElsewhere(deps, account, signal) : keptElsewhere(deps.db, account),
  )
}

/** The same by what is kept: nobody is asked. For a page that is loaded often. */
export async function examineKept(
  db: PlatformDeps['db'],
  account: Account,
): Promise<{ findings: Finding[]; listedAt: number | null }> {
  const look = await lookAtKept(db, account)
  const findings = await describe(account, look, () => keptElsewhere(db, account))
  return { findings, listedAt: look.listing.listedAt }
}

async function describe(
  account: Account,
  { findings, listing }: Look,
  listElsewhere: () => Promise<TemplateListing>,
): Promise<Finding[]> {
  const others = await examineOthers(account, listing, listElsewhere)
  if (account.templateId === '') return [noTemplate(), ...others]
  const found = findings.length > 0 ? findings : [noList(listing)]
  return [
    ...found,
    ...(listing.failure !== null && findings.length > 0 ? [oldList(listing)] : []),
    examinePage(account),
    ...others,
  ]
}

function noTemplate(): Finding {
  return toFinding(
    'template',
    'warn',
    { en: 'There is no template, so nobody is reminded', zh: '没有设置模板，不会提醒任何人' },
    { fix: { en: 'Set REMINDER_TEMPLATE_ID.', zh: '设置 REMINDER_TEMPLATE_ID。' } },
  )
}

function noList({ failure }: TemplateListing): Finding {
  const why = failure ?? 'not asked yet'
  return toFinding(
    'template',
    'warn',
    {
      en: `not checked: WeChat gave no list of the account’s templates (${why})`,
      zh: `没有检查：微信没有给出账号的模板列表（${failure ?? '尚未查询'}）`,
    },
    {
      fix: {
        en: 'Nothing: the first message of a run shows whether the template is right.',
        zh: '无需处理：任务的第一条消息会检验模板是否正确。',
      },
    },
  )
}

function oldList({ failure, listedAt }: TemplateListing): Finding {
  const at = listedAt === null ? '' : new Date(listedAt).toISOString()
  return toFinding('template_list', 'warn', {
    en: `as of ${at}: WeChat gave no newer list (${failure})`,
    zh: `截至 ${at}：微信没有给出更新的列表（${failure}）`,
  })
}

/**
 * Further templates are only warned of: the reminders do without them. On form_id those of subscribe messages are right
 * too: their subscriptions are collected until the account moves. Where that list is not to be had, nothing is said.
 */
async function examineOthers(
  { appId, channel, templates: wanted }: Account,
  { templates }: TemplateListing,
  listElsewhere: () => Promise<TemplateListing>,
): Promise<Finding[]> {
  if (templates === undefined) return []
  const lackedBy = (listed: readonly Template[], ids: string[]): string[] =>
    ids.filter((id) => !listed.some((template) => template.id === id))
  const lacking = lackedBy(templates, wanted)
  if (channel !== 'form_id' || lacking.length === 0) return lacking.map((id) => noSuchTemplate(appId, id))
  const { templates: elsewhere } = await listElsewhere()
  return elsewhere === undefined ? [] : lackedBy(elsewhere, lacking).map((id) => noSuchTemplate(appId, id))
}

function noSuchTemplate(appId: string, id: string): Finding {
  return toFinding(
    'templates',
    'warn',
    { en: `Account ${appId} has no template ${id}`, zh: `账号 ${appId} 没有模板 ${id}` },
    {
      fix: {
        en: 'Copy the ids in TEMPLATES from the console of exactly this account, or remove this one.',
        zh: '到该账号的后台复制 TEMPLATES 中的模板 ID，或去掉这个。',
      },
      finding: 'template_not_of_account',
    },
  )
}
