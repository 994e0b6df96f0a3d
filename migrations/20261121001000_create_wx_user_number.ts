import { tableMigration } from './lib/tables.js'

/** The row of an account is locked while a number is allotted, so that no two users get the same one. */
export const { up, down } = tableMigration({
  name: 'wx_user_number',
  comment: '自动分配的用户编号：每个 app_id 一行 | user ids allotted here: one row per account',
  columns: [
    { name: 'app_id', type: 'varchar(64)', ascii: true, comment: '小程序 app_id | account' },
    {
      name: 'last_user_id',
      type: 'bigint',
      default: 0,
      comment: '最近分配的用户编号，0 = 尚未分配 | the last user id that was allotted, 0 = none yet',
    },
    { name: 'updated_at', type: 'bigint', comment: '更新时间（毫秒） | updated, ms' },
  ],
  primaryKey: ['app_id'],
})
