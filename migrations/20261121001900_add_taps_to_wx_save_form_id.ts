import type { Knex } from 'knex'
import { permits } from './lib/public-tables.js'
import { addColumns, type Column, dropColumns } from './lib/tables.js'

/** What pairs a client's report of an accepted subscription with WeChat's event of the same tap: one tap, one permit. */
const columns: Column[] = [
  {
    name: 'tapped_at',
    type: 'bigint',
    nullable: true,
    comment: '用户点击订阅的时间（毫秒），仅 subscribe | subscribe: when the user tapped, ms',
  },
  {
    name: 'confirmed_at',
    type: 'bigint',
    nullable: true,
    comment: "微信事件确认时间（毫秒） | subscribe: when WeChat's own event confirmed it, ms",
  },
]

export const up = (db: Knex): Promise<void> => addColumns(db, permits.name, columns)
export const down = (db: Knex): Promise<void> => dropColumns(db, permits.name, columns)
