import type { Knex } from 'knex'
import { permits } from './lib/public-tables.js'
import { addColumns, addKeys, type Column, dropColumns, dropKeys } from './lib/tables.js'

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

/** The taps of one person on one template, by time: pairing and refusals do not read the user's other permits. */
const index = {
  name: permits.name,
  comment: '',
  columns: [],
  indexes: { wx_save_form_id_tap_idx: ['app_id', 'open_id', 'template_id', 'tapped_at'] },
}

export async function up(db: Knex): Promise<void> {
  await addColumns(db, permits.name, columns)
  await addKeys(db, index)
}

export async function down(db: Knex): Promise<void> {
  await dropKeys(db, index)
  await dropColumns(db, permits.name, columns)
}
