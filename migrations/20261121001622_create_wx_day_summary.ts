import { tableMigration } from './lib/tables.js'

/** Sums that outlive the rows they were counted from. Those of a day are final about an hour after its end. */
export const { up, down } = tableMigration({
  name: 'wx_day_summary',
  comment: '每日汇总，由 summarize 写入 | what happened on a day, kept by summarize',
  columns: [
    { name: 'app_id', type: 'varchar(64)', ascii: true, comment: '小程序 app_id | account' },
    { name: 'day', type: 'int', comment: '日期 YYYYMMDD | day' },
    { name: 'granted_form', type: 'int', default: 0, comment: '新增表单凭证 | new permits of forms' },
    { name: 'granted_pay', type: 'int', default: 0, comment: '新增支付凭证 | new permits of payments' },
    {
      name: 'granted_subscribe',
      type: 'int',
      default: 0,
      comment: '新增订阅凭证 | new permits of subscriptions',
    },
    {
      name: 'spent',
      type: 'int',
      default: 0,
      comment: '当日提醒使用的凭证，每条提醒一个 | permits spent on the reminders of the day, one each',
    },
    {
      name: 'failed',
      type: 'int',
      default: 0,
      comment: '其中失败的提醒 | of these reminders, those that failed',
    },
    {
      name: 'expired',
      type: 'int',
      default: 0,
      comment: '清理的过期凭证 | permits that ran out, as the sweeps found them',
    },
    { name: 'sign_ins', type: 'int', default: 0, comment: '签到人数 | users who signed in' },
    {
      name: 'reminded',
      type: 'int',
      default: 0,
      comment: '提醒已送达的用户 | users whose reminder was delivered',
    },
    {
      name: 'reminded_signed_in',
      type: 'int',
      default: 0,
      comment: '其中任务开始后当天签到的 | of these, those who signed in on that day after the run had begun',
    },
    {
      name: 'others',
      type: 'int',
      default: 0,
      comment:
        '当天无提醒且任务开始前未签到的用户 | users without a reminder who had not signed in when the run began',
    },
    {
      name: 'others_signed_in',
      type: 'int',
      default: 0,
      comment: '其中任务开始后当天签到的 | of these, those who signed in on that day after that',
    },
    {
      name: 'as_of',
      type: 'bigint',
      default: 0,
      comment: '统计时间（毫秒），0 = 仅有新增数 | counted, ms; 0 = only new permits so far',
    },
  ],
  primaryKey: ['app_id', 'day'],
})
