import type { Knex } from 'knex'
import { FORM_ID_LIFETIME_MS, NEVER_EXPIRES } from '../../src/books/index.js'
import { execute, rowPlaceholders } from '../../src/db/sql.js'
import { addDays } from '../../src/lib/business-date.js'
import { chunks } from '../../src/lib/chunks.js'
import type { UserId } from '../../src/lib/user-id.js'
import type { SandboxControl } from '../../src/sandbox/control.js'
import { DAY_MS, HOUR_MS, TEMPLATE_ID } from './constants.js'

interface Facts {
  /** How long each permit is still valid, in ms. */
  permits: number[]
  /** Accepted subscriptions of the demo's template. */
  subscriptions: number
  /** Their open_id is known, and they follow the service account. */
  follows: boolean
  signedInToday: boolean
  streak: number
  stop: 'opted_out_at' | 'blocked_at' | undefined
  lastDate: number
}

const NOTHING: Facts = {
  permits: [],
  subscriptions: 0,
  follows: false,
  signedInToday: false,
  streak: 0,
  stop: undefined,
  lastDate: 0,
}

/** One user or many alike, told as a story: `user(5).permits(2).signedInToday()`. */
export class Users {
  constructor(
    readonly ids: number[],
    readonly facts: Facts = NOTHING,
  ) {}

  /** So many permits, which run out in 1, 2, 3 … days. */
  permits(count: number): Users {
    return this.#with({ permits: Array.from({ length: count }, (_, i) => (i + 1) * DAY_MS) })
  }

  /** One permit more, valid for so long. */
  permitFor(ms: number): Users {
    return this.#with({ permits: [...this.facts.permits, ms] })
  }

  /** So many accepted subscriptions, each a permit that does not run out. */
  subscriptions(count: number): Users {
    return this.#with({ subscriptions: count })
  }

  /** Known by their open_id, and followers of the service account. */
  following(): Users {
    return this.#with({ follows: true })
  }

  signedInToday(): Users {
    return this.#with({ signedInToday: true })
  }

  /** Signed in on so many days in a row, yesterday the last. */
  streak(days: number): Users {
    return this.#with({ streak: days })
  }

  optedOut(): Users {
    return this.#with({ stop: 'opted_out_at' })
  }

  blocked(): Users {
    return this.#with({ stop: 'blocked_at' })
  }

  lastReminded(date: number): Users {
    return this.#with({ lastDate: date })
  }

  #with(facts: Partial<Facts>): Users {
    return new Users(this.ids, { ...this.facts, ...facts })
  }
}

export const user = (id: number): Users => new Users([id])

/** Users `first` to `last`, both included. */
export const users = (first: number, last: number): Users =>
  new Users(Array.from({ length: last - first + 1 }, (_, i) => first + i))

export const openIdOf = (userId: UserId): string => `oUser${String(userId).padStart(23, '0')}`
export const userIdOf = (openId: string): number => Number(openId.slice('oUser'.length))

/** Writes users into the tables as they would stand there, and makes their form_ids known to the sandbox. */
export async function insertUsers(
  db: Knex,
  control: SandboxControl,
  { appId, today, now }: { appId: string; today: number; now: number },
  stories: Users[],
): Promise<void> {
  // In one piece: a test beside this one may be auditing the same tables.
  await db.transaction((trx) => insertAll(trx, control, { appId, today, now }, stories))
}

async function insertAll(
  db: Knex,
  control: SandboxControl,
  { appId, today, now }: { appId: string; today: number; now: number },
  stories: Users[],
): Promise<void> {
  const each = stories.flatMap(({ ids, facts }) => ids.map((id) => ({ id, ...facts })))
  const written = now - HOUR_MS
  // The youngest first, so that the order of ids is not the order of age.
  const permits = each.flatMap(({ id, permits }) =>
    [...permits].sort((a, b) => b - a).map((ms) => ({ id, ms })),
  )
  await insert(
    db,
    'wx_save_form_id (app_id, open_id, user_id, form_id, expire, created_at, updated_at)',
    permits.map(({ id, ms }) => {
      const openId = openIdOf(id)
      const formId = control.issueFormId({ appId, openId, at: now + ms - FORM_ID_LIFETIME_MS })
      return [appId, openId, id, formId, now + ms, written, written]
    }),
  )
  const taps = each.flatMap(({ id, subscriptions }) =>
    Array.from({ length: subscriptions }, (_, i) => ({ id, name: `tap-${id}-${i}`, at: written + i })),
  )
  await insert(
    db,
    `wx_save_form_id (app_id, open_id, user_id, form_id, source, template_id, tapped_at, expire, created_at,
       updated_at)`,
    taps.map(({ id, name, at }) => {
      const openId = openIdOf(id)
      control.grantSubscription({ appId, openId, templateId: TEMPLATE_ID })
      return [appId, openId, id, name, 'subscribe', TEMPLATE_ID, at, NEVER_EXPIRES, written, written]
    }),
  )
  await insert(
    db,
    'wx_message_push_status (app_id, user_id, count, last_date, created_at, updated_at)',
    each.map(({ id, permits, subscriptions, lastDate }) => [
      appId,
      id,
      permits.length + subscriptions,
      lastDate,
      written,
      written,
    ]),
  )
  const signIns = each.flatMap(({ id, signedInToday, streak }) => [
    ...(signedInToday ? [[appId, id, today, streak + 1, written]] : []),
    ...(streak > 0 ? [[appId, id, addDays(today, -1), streak, written]] : []),
  ])
  await insert(db, 'wx_sign_in (app_id, user_id, day, streak, created_at)', signIns)
  const followers = each.filter(({ follows }) => follows)
  for (const { id } of followers) control.follow({ appId, openId: openIdOf(id) })
  await insert(
    db,
    'wx_user (app_id, open_id, user_id, created_at, updated_at)',
    followers.map(({ id }) => [appId, openIdOf(id), id, written, written]),
  )
  for (const { id, stop, follows } of each) {
    if (!stop) continue
    if (follows)
      await execute(db, `UPDATE wx_user SET ${stop} = ? WHERE app_id = ? AND user_id = ?`, [
        written,
        appId,
        id,
      ])
    else
      await insert(db, `wx_user (app_id, open_id, user_id, ${stop}, created_at, updated_at)`, [
        [appId, openIdOf(id), id, written, written, written],
      ])
  }
}

async function insert(db: Knex, into: string, rows: (string | number)[][]): Promise<void> {
  for (const chunk of chunks(rows, 500)) {
    const columns = chunk[0]?.length ?? 0
    await execute(db, `INSERT INTO ${into} VALUES ${rowPlaceholders(chunk.length, columns)}`, chunk.flat())
  }
}
