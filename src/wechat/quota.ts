import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Auxiliary } from './auxiliary.js'

/** The calls of one API that an account may make today. */
export interface Quota {
  daily_limit: number
  used: number
  remain: number
}

export type QuotaAnswer = { kind: 'told'; quota: Quota } | { kind: 'not_had'; why: string }

const Amount = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
/** Nothing is held back by a limit of 0: WeChat says itself when it takes no more (45009). */
const NO_LIMIT = 'no daily limit in the answer'
const QuotaBody = Compile(
  Type.Object({ quota: Type.Object({ daily_limit: Amount, used: Amount, remain: Amount }) }),
)

/** Asks WeChat for today's quota of a path, once (查询 API 调用额度 openapi/quota/get). Quotas are never cleared from here. */
export async function askQuota(
  auxiliary: Auxiliary,
  path: string,
  signal: AbortSignal,
): Promise<QuotaAnswer> {
  const call = { method: 'POST', path: '/cgi-bin/openapi/quota/get', body: { cgi_path: path } } as const
  const answer = await auxiliary.ask(call, signal)
  if (answer.kind === 'refused') return { kind: 'not_had', why: `${answer.errcode} ${answer.entry.name}` }
  if (answer.kind !== 'succeeded') return { kind: 'not_had', why: `${answer.kind}: ${answer.reason}` }
  const { body } = answer
  if (!QuotaBody.Check(body)) return { kind: 'not_had', why: 'no "quota" in the answer' }
  const { daily_limit, used, remain } = body.quota
  if (daily_limit === 0) return { kind: 'not_had', why: NO_LIMIT }
  return { kind: 'told', quota: { daily_limit, used, remain } }
}
