import { tableMigration } from './lib/tables.js'

/** One row per account: which process keeps its summaries, and how far the count of new permits has come. */
export const { up, down } = tableMigration({
  name: 'wx_summary_progress',
  comment: '汇总进度：每个小程序一行 | how far summarize has come, one row per account',
  columns: [
    { name: 'app_id', type: 'varchar(64)', ascii: true, comment: '小程序 app_id | account' },
    {
      name: 'permit_id',
      type: 'bigint unsigned',
      default: 0,
      comment: '已统计到的 wx_save_form_id.id | permits up to this id have been counted',
    },
    {
      name: 'first_id',
      type: 'bigint unsigned',
      default: 0,
      comment:
        '首次统计时的最大 id，此前无时间的行不计 | largest id at the first look: rows up to it without a time are not counted',
    },
    {
      name: 'next_id',
      type: 'bigint unsigned',
      default: 0,
      comment: '下次统计到的 id | the next count goes up to this id',
    },
    {
      name: 'next_seen_at',
      type: 'bigint',
      default: 0,
      comment: '看到 next_id 的时间（毫秒） | when next_id was the largest, ms',
    },
    {
      name: 'began_at',
      type: 'bigint',
      default: 0,
      comment: '上次完整汇总开始（毫秒） | last whole summary began, ms',
    },
    { name: 'ended_at', type: 'bigint', default: 0, comment: '上次完整汇总结束（毫秒） | and ended, ms' },
    {
      name: 'owner',
      type: 'varchar(36)',
      ascii: true,
      default: '',
      comment: '正在汇总的进程 | process that is at it',
    },
    {
      name: 'lease_until',
      type: 'bigint',
      default: 0,
      comment:
        '占用到何时（数据库毫秒），过期可接管 | held until, ms of the database clock; then any process takes over',
    },
  ],
  primaryKey: ['app_id'],
})
