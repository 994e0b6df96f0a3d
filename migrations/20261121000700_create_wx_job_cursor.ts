import { tableMigration } from './lib/tables.js'

/**
 * How far a run has come: several rows per run, each for a range of users, so that several workers can share
 * one run.
 */
export const { up, down } = tableMigration({
  name: 'wx_job_cursor',
  comment: '任务进度：每行一段用户范围 | progress of a run: one range of users per row',
  columns: [
    { name: 'run_id', type: 'bigint unsigned', comment: '任务 wx_job_run.id | run' },
    { name: 'range_no', type: 'smallint', comment: '范围序号 | number of the range' },
    { name: 'cur', type: 'bigint', comment: '已读到的 user_id | users up to this one are read' },
    { name: 'hi', type: 'bigint', comment: '范围内最大 user_id | last user of the range' },
    {
      name: 'again',
      type: 'bigint',
      nullable: true,
      comment: '因锁跳过的最小 user_id | smallest user passed over because a row was locked',
    },
    {
      name: 'counted_to',
      type: 'bigint',
      nullable: true,
      comment:
        '以下各数截至的 user_id，不等于 cur = 作废 | users up to this one are in the counts below; if it is not cur, they do not hold',
    },
    { name: 'signed_in', type: 'int', default: 0, comment: '已签到而跳过 | passed over: had signed in' },
    { name: 'no_permit', type: 'int', default: 0, comment: '无凭证而跳过 | passed over: no permit left' },
    {
      name: 'no_valid_permit',
      type: 'int',
      default: 0,
      comment: '无有效凭证而跳过 | passed over: no permit that is still valid',
    },
    { name: 'opted_out', type: 'int', default: 0, comment: '已退订而跳过 | passed over: had opted out' },
    { name: 'blocked', type: 'int', default: 0, comment: '无法送达而跳过 | passed over: cannot be reached' },
  ],
  primaryKey: ['run_id', 'range_no'],
})
