import type { TokenError } from '../wechat/token-error.js'
import type { FindingName } from './catalogue.js'

/** Codes of WeChat, and HTTP statuses that came instead, by what they are findings of. */
const CODES: Record<Exclude<FindingName, OursAlone>, readonly number[]> = {
  token_wrong_secret: [40125, 40243, 41004],
  token_wrong_app_id: [40013, 41002],
  token_ip_not_allowed: [40164, 89501, 89503, 89506, 89507],
  token_foreign_refresher: [40001, 40014, 42001],
  template_not_of_account: [40036, 40037],
  user_not_subscribed: [43004, 43019, 43101, 48002, 50005],
  permit_used_up: [41028, 41029],
  user_of_other_app: [40003],
  data_breaks_rule: [40250, 47003],
  data_not_allowed: [40249, 45168],
  network_not_wechat: [40002, 40033, 41001, 43002, 44002, 47001],
  wechat_busy: [-1, 61450, 200001],
  page_not_released: [41030],
  concurrent_sends: [40241, 43108, 43117],
  rate_too_high: [45011],
  quota_used_up: [45009, 45029],
  account_restricted: [40251, 40252, 43106, 43107, 43116, 48001, 48004, 48008, 50001, 50002, 200013, 200100],
  channel_withdrawn: [45103, 45109],
}

/** Findings that no code of WeChat tells: they come from checks, or from there being no answer. */
type OursAlone =
  | 'token_not_had'
  | 'template_of_other_product'
  | 'template_of_other_type'
  | 'data_keys_differ'
  | 'data_not_in_enum'
  | 'network_unreachable'
  | 'network_no_answer'
  | 'page_missing'
  | 'shared_rate_away'
  | 'clocks_differ'

const BY_CODE: ReadonlyMap<number, FindingName> = new Map(
  Object.entries(CODES).flatMap(([finding, codes]) =>
    codes.map((code): [number, FindingName] => [code, finding as FindingName]),
  ),
)

/** The codes that are findings of this. */
export function codesOf(finding: FindingName): readonly number[] {
  return Object.entries(CODES).find(([name]) => name === finding)?.[1] ?? []
}

/**
 * What a code in the answer to a message is a finding of; null for one that needs no name, or is not known. `name` tells
 * a wrong secret (the token endpoint's 40001) from a dead token.
 */
export function findingOf({ errcode, name }: { errcode: number; name: string }): FindingName | null {
  if (name === 'invalid_appsecret') return 'token_wrong_secret'
  if (errcode >= 300 && errcode < 600)
    return errcode < 500 && !IS_BUSY.has(errcode) ? 'network_not_wechat' : 'wechat_busy'
  return BY_CODE.get(errcode) ?? null
}

/** The same for a message that ended without a code, by its cause. */
export function findingWithoutCode(cause: string): FindingName | null {
  if (cause === 'unreachable') return 'network_unreachable'
  return cause === 'ambiguous' ? 'network_no_answer' : null
}

const IS_BUSY = new Set([408, 425, 429])

/** Why there was no token. */
export function findingOfToken({ entry }: Pick<TokenError, 'entry'>): FindingName {
  if (entry === undefined) return 'token_not_had'
  const finding = findingOf(entry)
  return finding === 'wechat_busy' || finding === null ? 'token_not_had' : finding
}
