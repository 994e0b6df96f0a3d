import { tableMigration } from './lib/tables.js'

export const { up, down } = tableMigration({
  name: 'wx_sign_in',
  comment: '签到记录：每人每天一行 | sign-ins: one row per user and day',
  columns: [
    { name: 'app_id', type: 'varchar(64)', ascii: true, comment: '小程序 app_id | account' },
    { name: 'user_id', type: 'bigint', comment: '业务用户编号 | user' },
    { name: 'day', type: 'int', comment: '日期 YYYYMMDD | day' },
    { name: 'streak', type: 'int', comment: '截至当天连续天数 | consecutive days up to this one' },
    { name: 'created_at', type: 'bigint', comment: '创建时间（毫秒） | created, ms' },
  ],
  primaryKey: ['app_id', 'user_id', 'day'],
  // For the purge of old days, and for the sign-ins of a day in the order of users. MySQL would add the user by itself.
  indexes: { wx_sign_in_day_idx: ['app_id', 'day', 'user_id'] },
})
