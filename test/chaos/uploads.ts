import type { Knex } from 'knex'
import { execute, isSqlite, rowPlaceholders } from '../../src/db/sql.js'
import { chunks } from '../../src/lib/chunks.js'
import { DEMO_APP_ID } from '../../src/sandbox/accounts.js'
import type { Backend } from './backend.js'
import type { Luck } from './luck.js'
import { newFormId, openIdOf, type PermitSource, type Upload } from './permit-sources.js'

/** Requests at once, where each reports one person only: else few would get through between two kills. */
const AT_ONCE = 40
const NEW_USERS = { low: 10, high: 30 }

/**
 * The backend of a mini-program: it uploads permits of new and known users for as long as the test goes on, sends again
 * what was not answered, sometimes sends what was, and remembers everything that it was told is stored.
 */
export class Uploader {
  /** By name: what the service said it has. */
  readonly stored = new Map<string, Upload>()
  readonly signedIn = new Set<number>()
  duplicates = 0
  users = 0
  readonly source: PermitSource
  readonly #luck: Luck
  readonly #backend: Backend
  #recent: Upload[] = []

  constructor(source: PermitSource, luck: Luck, backend: Backend) {
    this.source = source
    this.#luck = luck
    this.#backend = backend
  }

  /**
   * Permits of so many new users, and some of known ones. Each request is sent until somebody answers it or `stopped`.
   */
  async upload(newUsers: number | undefined, stopped: () => boolean): Promise<void> {
    const uploads = this.#compose(newUsers ?? this.#luck.integer(NEW_USERS.low, NEW_USERS.high))
    const parts = chunks(uploads, this.source.maxItems)
    const atOnce = this.source.maxItems === 1 ? AT_ONCE : 1
    for (const some of chunks(parts, atOnce)) await Promise.all(some.map((part) => this.#send(part, stopped)))
    this.#recent = uploads
    if (!this.#luck.chance(0.2)) return
    const { userId } = this.#luck.pick(uploads)
    if (await this.#report('POST', '/v1/sign-ins', { user_id: userId }, stopped)) this.signedIn.add(userId)
  }

  async #report(
    method: 'POST' | 'PUT',
    path: string,
    body: object,
    stopped: () => boolean,
  ): Promise<unknown> {
    const answer = await this.#backend.ask({ method, path, body }, stopped)
    if (answer && answer.status >= 400)
      throw new Error(`${path} answered ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer?.body
  }

  async #send(uploads: Upload[], stopped: () => boolean): Promise<void> {
    const { method, path } = this.source
    const [first] = uploads
    if (method === 'PUT') {
      if (first && (await this.#report(method, path, first.body, stopped))) this.stored.set(first.name, first)
      return
    }
    const items = uploads.map(({ body }) => body)
    const answer = await this.#report(method, path, { items }, stopped)
    if (!isUploadAnswer(answer)) return
    for (const [i, { outcome }] of answer.results.entries()) {
      const upload = uploads[i]
      if (!upload || outcome === 'rejected' || outcome === 'refused')
        throw new Error(`Refused a good permit: ${JSON.stringify(answer)}`)
      if (outcome === 'duplicate') this.duplicates++
      this.stored.set(upload.name, upload)
    }
  }

  /** Permits about to run out, written by hand as an owner's own program would, since an upload of them is refused. */
  async writeShortLived(db: Knex, n: number, now: number): Promise<void> {
    const userIds = Array.from({ length: n }, () => this.#luck.integer(1, Math.max(1, this.users)))
    const counts = new Map<number, number>()
    for (const userId of userIds) counts.set(userId, (counts.get(userId) ?? 0) + 1)
    await db.transaction(async (trx) => {
      await execute(
        trx,
        `INSERT INTO wx_save_form_id (app_id, open_id, user_id, form_id, expire, created_at, updated_at)
         VALUES ${rowPlaceholders(n, 7)}`,
        userIds.flatMap((userId) => [
          DEMO_APP_ID,
          openIdOf(userId),
          userId,
          newFormId(),
          now + 200,
          now,
          now,
        ]),
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
          .flatMap(([userId, count]) => [DEMO_APP_ID, userId, count, 0, now, now]),
      )
    })
  }

  /** Users of the last upload, who are likely to have a permit. */
  recentUsers(): number[] {
    return [...new Set(this.#recent.map(({ userId }) => userId))]
  }

  #compose(newUsers: number): Upload[] {
    const luck = this.#luck
    const uploads: Upload[] = []
    for (let i = 0; i < newUsers; i++) {
      const userId = ++this.users
      uploads.push(...this.source.firstOf(userId, luck))
      for (let n = luck.integer(1, 3); n > 0; n--) uploads.push(this.source.next(userId))
    }
    for (let n = luck.integer(0, 3); n > 0; n--) uploads.push(this.source.next(luck.integer(1, this.users)))
    if (luck.chance(0.3)) uploads.push(...this.#recent.slice(0, 3))
    return uploads
  }
}

function isUploadAnswer(answer: unknown): answer is { results: { outcome: string }[] } {
  return typeof answer === 'object' && answer !== null && 'results' in answer
}
