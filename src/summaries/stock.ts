import type { Knex } from 'knex'
import { compareKeys } from '../lib/sorted.js'
import type { Range } from '../runs/ranges.js'
import { userPages } from '../runs/user-pages.js'
import { PAGE } from './profile-store.js'
import { isSmall } from './size-store.js'
import { countStock, findKeptStock, NEVER, type StockRow } from './stock-store.js'

/** Unspent permits of an account by source, template and the days that they are still good for. */
export interface Stock {
  /** When it was counted, ISO 8601; null: not yet. */
  as_of: string | null
  permits: {
    source: 'form' | 'pay' | 'subscribe'
    /** Of subscriptions; null of the others. */
    template_id: string | null
    /** Whole days until they run out; 30 = so many or more, null = never. */
    days_left: number | null
    permits: number
    /** Users who have such permits. One with several kinds is counted for each. */
    users: number
  }[]
}

/**
 * The stock of permits: counted now where the account is small, else as last kept. Permits of users who are opted out or
 * blocked count too.
 */
export async function findStock(db: Knex, { appId }: { appId: string }, now: number): Promise<Stock> {
  if (!(await isSmall(db, appId))) return keptStock(db, { appId })
  const stock = createStockSums(db, appId, now)
  for await (const page of userPages(db, appId, PAGE)) await stock.addPage(page)
  return { as_of: new Date(now).toISOString(), permits: stock.rows().map(toAnswer) }
}

/** The stock as last kept, whatever the size of the account: two dozen rows by their key. For the metrics. */
async function keptStock(db: Knex, { appId }: { appId: string }): Promise<Stock> {
  const rows = await findKeptStock(db, appId)
  const [first] = rows
  return { as_of: first ? new Date(first.as_of).toISOString() : null, permits: rows.map(toAnswer) }
}

function toAnswer({ source, template_id, days_left, permits, users }: StockRow): Stock['permits'][number] {
  return {
    source,
    template_id: template_id === '' ? null : template_id,
    days_left: days_left === NEVER ? null : days_left,
    permits,
    users,
  }
}

/** Adds up pages of an account's users. */
export function createStockSums(
  db: Knex,
  appId: string,
  now: number,
): { addPage(page: Range): Promise<void>; rows(): StockRow[] } {
  const sums = new Map<string, StockRow>()
  return {
    async addPage(page) {
      for (const row of await countStock(db, appId, page, now)) {
        const key = JSON.stringify([row.source, row.template_id, row.days_left])
        const sum = sums.get(key) ?? { ...row, permits: 0, users: 0 }
        sum.permits += Number(row.permits)
        sum.users += row.users
        sums.set(key, sum)
      }
    },
    rows: () =>
      [...sums.values()].sort(
        (a, b) =>
          compareKeys(a.source, b.source) ||
          compareKeys(a.template_id, b.template_id) ||
          a.days_left - b.days_left,
      ),
  }
}
