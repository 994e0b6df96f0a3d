import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { findingOfToken } from '../findings/by-code.js'
import { KNOWN_ERRORS } from '../findings/catalogue.js'
import { type Finding, toFinding } from '../findings/finding.js'
import { describeOpen } from '../messages/open-messages.js'
import { countOpen } from '../messages/open-store.js'
import { examineAccount } from '../preflight/examine-account.js'
import type { TokenCounters } from '../tokens/shared-token.js'
import type { Auxiliary } from '../wechat/auxiliary.js'
import { TokenError } from '../wechat/token-error.js'
import { examineCallback } from './callback-check.js'
import type { CallbackTarget } from './callback-target.js'
import {
  examineClock,
  examineDatabase,
  examineMigrations,
  examinePool,
  examineWrites,
  examineZone,
} from './database-checks.js'
import { examineOpening } from './opening-check.js'
import { examineRedis } from './redis-check.js'
import { examineWebhook } from './webhook-check.js'

export interface DoctorDeps {
  db: Knex
  /** The names of the migrations that the database lacks. */
  pendingMigrations(db: Knex): Promise<string[]>
  account: Account
  systemNow(): number
  getToken(): Promise<string>
  /** Throws TokenError if WeChat would give none now; undefined = that cannot be asked without harm. */
  checkSecret?: (() => Promise<void>) | undefined
  /** What the asking process has seen of the token so far; undefined = it has only just begun. */
  tokenCounters?(): TokenCounters
  /** For the account's templates. */
  auxiliary: Auxiliary
  /** Where to test the message push; undefined = nowhere. */
  callback?: CallbackTarget
  /** Where SEND_RATE should be shared; undefined = nowhere. */
  redis?: { url: string; sendRate: number | undefined }
}

/**
 * Checks everything that a run needs, changes nothing, and goes on after a finding as far as it makes sense.
 */
export async function examine(deps: DoctorDeps): Promise<Finding[]> {
  const { db, account, systemNow } = deps
  const database = await examineDatabase(db)
  if (database.status === 'fail') return [database]
  const migrations = await examineMigrations(db, deps.pendingMigrations)
  const rest = [
    await examineZone(db, account.timezone, systemNow()),
    await examineClock(db, systemNow),
    await examinePool(db),
  ]
  if (account.channel === 'subscribe') rest.push(examineOpening(account))
  if (deps.redis) rest.push(await examineRedis(deps.redis.url, deps.redis.sendRate))
  // Without the tables there is no place for a token, a list or an event.
  if (migrations.status === 'ok') {
    rest.push(await examineWrites(db), await examineMessages(deps))
    if (account.webhook) rest.push(await examineWebhook(db, account, systemNow()))
    const token = await examineToken(deps)
    rest.push(token)
    const platform = { db, auxiliary: deps.auxiliary, now: systemNow }
    rest.push(...(await examineAccount(platform, account, token.status !== 'fail')))
    if (deps.callback) rest.push(await examineCallback(account, deps.callback, systemNow))
  }
  return [database, migrations, ...rest]
}

async function examineMessages({ db, account, systemNow }: DoctorDeps): Promise<Finding> {
  const name = 'messages'
  const open = await countOpen(db, account.appId, systemNow())
  const reason = describeOpen(open) ?? { en: 'all settled', zh: '全部已有结果' }
  if (open.lapsed + open.retriesDue === 0) return toFinding(name, 'ok', reason)
  return toFinding(name, 'warn', reason, {
    fix: {
      en: 'Start serve, or run: npm run -s cli -- recover',
      zh: '启动 serve，或执行：npm run -s cli -- recover',
    },
  })
}

async function examineToken({ account, getToken, checkSecret, tokenCounters }: DoctorDeps): Promise<Finding> {
  const name = 'token'
  if (account.appSecret === '')
    return toFinding(
      name,
      'fail',
      { en: 'no app secret', zh: '没有设置 AppSecret' },
      { fix: { en: 'Set WX_APP_SECRET.', zh: '设置 WX_APP_SECRET。' }, finding: 'token_wrong_secret' },
    )
  try {
    await getToken()
    await checkSecret?.().catch(ignoreOutage)
    const early = tokenCounters?.().earlyDeaths.count ?? 0
    if (early > 0) return foreignRefresher(early)
    return toFinding(name, 'ok', {
      en: `WeChat gives a token (${account.tokenMode})`,
      zh: `可从微信获取 token（${account.tokenMode}）`,
    })
  } catch (error) {
    if (!(error instanceof TokenError)) throw error
    const finding = findingOfToken(error)
    const { reason, fix } = KNOWN_ERRORS[finding]
    const zh = error.entry ? `${error.entry.errcode} ${error.entry.meaning_zh}` : reason.zh
    return toFinding(name, 'fail', { en: error.message, zh }, { fix, finding })
  }
}

/** There is a token, so an endpoint that is busy or away hurts nobody yet. */
function ignoreOutage(error: unknown): void {
  if (!(error instanceof TokenError) || error.class === 'configuration') throw error
}

function foreignRefresher(deaths: number): Finding {
  const finding = 'token_foreign_refresher'
  const { reason, fix } = KNOWN_ERRORS[finding]
  const told = {
    en: `${reason.en} This process has seen ${deaths}.`,
    zh: `${reason.zh}本进程已遇到 ${deaths} 次。`,
  }
  return toFinding('token', 'warn', told, { fix, finding })
}
