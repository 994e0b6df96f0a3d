import { randomBytes } from 'node:crypto'
import type { Knex } from 'knex'
import { execute, isSqlite, rowPlaceholders } from '../../src/db/sql.js'
import type { SandboxControl } from '../../src/sandbox/control.js'
import type { Luck } from './luck.js'

export interface Upload {
  open_id: string
  user_id: number
  form_id: string
  submitted_at?: number
}

interface Target {
  appId: string
  apiKey: string
  /** The services that are there to be asked; any of them may be down. */
  urls: string[]
}

const DAY_MS = 24 * 60 * 60 * 1000
const REQUEST_TIMEOUT_MS = 3_000
const NEW_USERS = { low: 10, high: 30 }

/**
 * The backend of a mini-program: it uploads permits of new and known users for as long as the test goes on, sends again
 * what was not answered, sometimes sends what was, and remembers everything that it was told is stored.
 */
export class Uploader {
  /** By form_id: what the service said it has. */
  readonly stored = new Map<string, Upload>()
  readonly signedIn = new Set<number>()
  requests = 0
  unanswered = 0
  duplicates = 0
  users = 0
  readonly #wechat: SandboxControl
  readonly #luck: Luck
  readonly #target: Target
  #recent: Upload[] = []

  constructor(wechat: SandboxControl, luck: Luck, target: Target) {
    this.#wechat = wechat
    this.#luck = luck
    this.#target = target
  }

  /** One request, sent until somebody answers it or `stopped`. */
  async upload(newUsers: number | undefined, stopped: () => boolean): Promise<void> {
    const items = this.#compose(newUsers ?? this.#luck.integer(NEW_USERS.low, NEW_USERS.high))
    const answer = await this.#ask('/v1/form-ids', { items }, stopped)
    if (!isUploadAnswer(answer)) return
    for (const [i, { outcome }] of answer.results.entries()) {
      const item = items[i]
      if (!item || outcome === 'rejected')
        throw new Error(`Refused a good form_id: ${JSON.stringify(answer)}`)
      if (outcome === 'duplicate') this.duplicates++
      this.stored.set(item.form_id, item)
    }
    this.#recent = items
    if (!this.#luck.chance(0.2)) return
    const { user_id } = this.#luck.pick(items)
    if (await this.#ask('/v1/sign-ins', { user_id }, stopped)) this.signedIn.add(user_id)
  }

  /** Permits about to run out, written by hand as an owner's own program would, since an upload of them is refused. */
  async writeShortLived(db: Knex, n: number, now: number): Promise<void> {
    const { appId } = this.#target
    const userIds = Array.from({ length: n }, () => this.#luck.integer(1, Math.max(1, this.users)))
    const counts = new Map<number, number>()
    for (const userId of userIds) counts.set(userId, (counts.get(userId) ?? 0) + 1)
    await db.transaction(async (trx) => {
      await execute(
        trx,
        `INSERT INTO wx_save_form_id (app_id, open_id, user_id, form_id, expire, created_at, updated_at)
         VALUES ${rowPlaceholders(n, 7)}`,
        userIds.flatMap((userId) => [appId, openIdOf(userId), userId, newFormId(), now + 200, now, now]),
      )
      const onDuplicate = isSqlite(trx)
        ? 'ON CONFLICT (app_id, user_id) DO UPDATE SET count = count + excluded.count'
        : 'ON DUPLICATE KEY UPDATE count = count + VALUES(count)'
      await execute(
        trx,
        `INSERT INTO wx_message_push_status (app_id, user_id, count, last_date, created_at, updated_at)
         VALUES ${rowPlaceholders(counts.size, 6)} ${onDuplicate}`,
        [...counts]
          .sort(([a], [b]) => a - b)
          .flatMap(([userId, count]) => [appId, userId, count, 0, now, now]),
      )
    })
  }

  #compose(newUsers: number): Upload[] {
    const luck = this.#luck
    const items: Upload[] = []
    for (let i = 0; i < newUsers; i++) {
      const userId = ++this.users
      // Its oldest permit is one that WeChat does not know: the message has to go on to the next one.
      if (luck.chance(0.05)) {
        items.push({ ...itemOf(userId, newFormId()), submitted_at: Date.now() - DAY_MS })
      }
      for (let n = luck.integer(1, 3); n > 0; n--) items.push(this.#fresh(userId))
    }
    for (let n = luck.integer(0, 3); n > 0; n--) items.push(this.#fresh(luck.integer(1, this.users)))
    if (luck.chance(0.3)) items.push(...this.#recent.slice(0, 3))
    return items
  }

  #fresh(userId: number): Upload {
    return itemOf(userId, this.#wechat.issueFormId({ openId: openIdOf(userId) }))
  }

  async #ask(path: string, body: object, stopped: () => boolean): Promise<unknown> {
    const { apiKey, urls } = this.#target
    while (!stopped()) {
      this.requests++
      try {
        const response = await fetch(this.#luck.pick(urls) + path, {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${apiKey}` },
          body: JSON.stringify(body),
          signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
        })
        const answer: unknown = await response.json()
        if (response.status === 201) return answer
        if (response.status < 500)
          throw new WrongAnswer(`${path} answered ${response.status} ${JSON.stringify(answer)}`)
      } catch (error) {
        if (error instanceof WrongAnswer) throw error
      }
      this.unanswered++
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    return undefined
  }
}

class WrongAnswer extends Error {}

function isUploadAnswer(answer: unknown): answer is { results: { outcome: string }[] } {
  return typeof answer === 'object' && answer !== null && 'results' in answer
}

function itemOf(userId: number, formId: string): Upload {
  return { open_id: openIdOf(userId), user_id: userId, form_id: formId }
}

export function openIdOf(userId: number): string {
  return `oChaos${String(userId).padStart(22, '0')}`
}

function newFormId(): string {
  return randomBytes(16).toString('hex')
}
