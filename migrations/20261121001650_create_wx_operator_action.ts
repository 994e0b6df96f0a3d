import { oneOf, tableMigration } from './lib/tables.js'

/** What operators did on the dashboard: written before the act, completed after it. */
export const { up, down } = tableMigration({
  name: 'wx_operator_action',
  comment: '运营人员在控制台的操作 | what operators did on the dashboard',
  columns: [
    { name: 'id', type: 'identity', comment: '编号 | action id' },
    { name: 'app_id', type: 'varchar(64)', ascii: true, comment: '小程序 app_id | account' },
    { name: 'at', type: 'bigint', comment: '操作时间（毫秒） | when, ms' },
    {
      name: 'who',
      type: 'varchar(60)',
      comment: '登录时填写的姓名 | the name that was given at the sign-in; nobody checks it',
    },
    {
      name: 'from_address',
      type: 'varchar(64)',
      ascii: true,
      comment: '来源网段（末段隐去） | network it came from, the last part left out',
    },
    {
      // Without a CHECK, so that a new action needs no migration.
      name: 'action',
      type: 'varchar(32)',
      ascii: true,
      comment: '操作，如 sign_in run pause resume retry opt_out | what was done',
    },
    {
      name: 'details',
      type: 'text',
      comment: '操作参数 JSON，不含密钥与 openid | its parameters, JSON, without secrets and open_ids',
    },
    {
      name: 'outcome',
      type: 'varchar(16)',
      ascii: true,
      comment:
        'started 已开始 done 成功 failed 失败 | started (if it stays so, the process ended in between), done, failed',
    },
    { name: 'note', type: 'varchar(500)', nullable: true, comment: '结果说明 | what came of it' },
    { name: 'ended_at', type: 'bigint', nullable: true, comment: '结束时间（毫秒） | completed, ms' },
  ],
  indexes: { wx_operator_action_at_idx: ['app_id', 'at'] },
  checks: { wx_operator_action_outcome_ck: oneOf('outcome', ['started', 'done', 'failed']) },
})
