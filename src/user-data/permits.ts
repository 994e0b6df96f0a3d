import type { Knex } from 'knex'
import { NEVER_EXPIRES } from '../books/index.js'
import { ServiceError } from '../errors.js'
import { businessDate, toIsoDate } from '../lib/business-date.js'
import { isoTime } from '../lib/iso-time.js'
import type { UserId } from '../lib/user-id.js'
import type { Place } from '../permits/store.js'
import { errcodeJson, isoTimeOrNull } from './json.js'
import * as store from './permit-store.js'
import type { Permit, PermitGroup, PermitPage, UserDetail } from './schemas.js'

const STATUS = ['unspent', 'spent', 'expired'] as const
export type PermitStatus = (typeof STATUS)[number]

/** More than a year of permits of the busiest user. Counting so many takes some 20 ms. */
const MAX_COUNTED = 10_000
/** How many permits a page with a filter looks at for each that it may show. */
const LOOKS_PER_ITEM = 10

type Summary = Omit<UserDetail['permits'], 'items' | 'next'>

/** Counts a user's permits, the unspent ones by what they are good for. Days are those of `timezone`. */
export async function summarisePermits(
  db: Knex,
  { appId, timezone }: { appId: string; timezone: string },
  userId: UserId,
): Promise<Summary> {
  const counts = await store.countPermits(db, appId, userId, MAX_COUNTED)
  const byStatus = [0, 0, 0]
  const groups = new Map<string, PermitGroup>()
  for (const { status, source, template_id, quarter, permits } of counts) {
    byStatus[status] = (byStatus[status] ?? 0) + permits
    if (status !== 0) continue
    const expires_on = quarter >= NEVER_EXPIRES ? null : toIsoDate(businessDate(quarter, timezone))
    const key = JSON.stringify([expires_on, source, template_id])
    const group = groups.get(key)
    if (group) group.permits += permits
    else groups.set(key, { source, template_id, expires_on, permits })
  }
  const [unspent = 0, spent = 0, expired = 0] = byStatus
  return {
    unspent,
    spent,
    expired,
    all_counted: unspent + spent + expired < MAX_COUNTED,
    groups: [...groups.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group),
  }
}

export interface PermitQuery {
  limit: number
  before?: string | undefined
  status?: PermitStatus | undefined
}

/**
 * A page of a user's permits, those that run out last first. With a status it may hold fewer than `limit`, and still
 * have a next page: it looks at a bounded number of permits. Throws `invalid_request` for a `before` that is none.
 */
export async function findPermitPage(
  db: Knex,
  appId: string,
  userId: UserId,
  { limit, before, status }: PermitQuery,
): Promise<PermitPage> {
  const looks = status === undefined ? limit : limit * LOOKS_PER_ITEM
  const place = before === undefined ? undefined : parsePlace(before)
  const rows = await store.findPermits(db, appId, userId, place, looks)
  const wanted = status === undefined ? rows : rows.filter((row) => STATUS[row.status] === status)
  const shown = wanted.slice(0, limit)
  const last = wanted.length > limit ? shown.at(-1) : rows.at(-1)
  const isEnd = rows.length < looks && wanted.length <= limit
  return { items: shown.map(toJson), next: isEnd || !last ? null : `${last.expire}-${last.id}` }
}

function parsePlace(text: string): Place {
  const [, expire, id] = /^(\d{1,15})-(\d{1,15})$/.exec(text) ?? []
  if (expire === undefined || id === undefined)
    throw new ServiceError('invalid_request', 'before: must be the `next` of the page before', {
      field: 'before',
    })
  return { expire: Number(expire), id: Number(id) }
}

function toJson(row: store.PermitRow): Permit {
  const { id, open_id, form_id, use_no, source, template_id, page } = row
  return {
    id,
    open_id,
    form_id,
    use_no,
    source,
    template_id,
    page,
    status: STATUS[row.status] ?? String(row.status),
    expires_at: row.expire >= NEVER_EXPIRES ? null : isoTime(row.expire),
    message_id: row.message_id || null,
    spoiled_by: errcodeJson(row.errcode),
    created_at: isoTimeOrNull(row.created_at),
  }
}
