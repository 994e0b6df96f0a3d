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
  ],
  primaryKey: ['run_id', 'range_no'],
})
