import { oneOf, tableMigration } from './lib/tables.js'

/**
 * What processes hold just now: one row per claim of up to some hundred messages, deleted when the last of them is
 * settled. A process that dies stops renewing `lease_until`; whoever takes its messages over gives them a new claim,
 * so the claim's id is the fence that keeps the old one from writing a verdict.
 */
export const { up, down } = tableMigration({
  name: 'wx_claim',
  comment:
    '正在发送的占用：每行一批消息，完结即删 | claims: what processes hold just now, a row per batch of messages',
  columns: [
    { name: 'id', type: 'identity', comment: '编号 | claim id' },
    { name: 'app_id', type: 'varchar(64)', ascii: true, comment: '小程序 app_id | account' },
    {
      name: 'kind',
      type: "enum('reminder','api')",
      default: 'reminder',
      comment: 'reminder 签到提醒 / api 接口消息 | of sign-in reminders or of submitted messages',
    },
    {
      name: 'lease_until',
      type: 'bigint',
      comment:
        '占用到期（数据库时钟，毫秒），到期后可接管 | end of the lease, ms by the database clock; then anyone may take over',
    },
    {
      name: 'quota_path',
      type: 'varchar(100)',
      ascii: true,
      default: '',
      comment:
        '额度计在哪个接口 wx_quota_use.path，空 = 未计 | path whose quota its messages are counted in; empty = none',
    },
    {
      name: 'quota_since',
      type: 'varchar(40)',
      ascii: true,
      default: '',
      comment: '额度计在哪次计数 wx_quota_use.since | which count of that quota',
    },
    { name: 'created_at', type: 'bigint', comment: '创建时间（毫秒） | created, ms' },
  ],
  indexes: { wx_claim_lease_idx: ['app_id', 'kind', 'lease_until'] },
  checks: { wx_claim_kind_ck: oneOf('kind', ['reminder', 'api']) },
})
