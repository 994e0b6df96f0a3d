import { oneOf, tableMigration } from './lib/tables.js'

/**
 * What a message that a backend submitted has beside its row in wx_push_message: its own texts, when it may go out, and
 * how it ended for its backend. `state` is that of the message once it is settled, more exact where the message is
 * `cancelled`; the time in between is one state, so that a message costs these indexes two writes.
 */
export const { up, down } = tableMigration({
  name: 'wx_submitted_message',
  comment:
    '接口消息：内容、发送时间与结果，每条一行 | messages that backends submitted: what each says, when it may go out, how it ended',
  columns: [
    { name: 'message_id', type: 'bigint unsigned', comment: '消息 wx_push_message.id | message' },
    { name: 'app_id', type: 'varchar(64)', ascii: true, comment: '小程序 app_id | account' },
    { name: 'user_id', type: 'bigint', comment: "业务用户编号 | the owner's number of the user" },
    { name: 'template_id', type: 'varchar(64)', ascii: true, comment: '模板编号 | template' },
    {
      name: 'state',
      type: 'varchar(16)',
      ascii: true,
      comment:
        'open 未完结 delivered 成功 failed 失败 unknown 未知 cancelled 取消 no_permit 无凭证 expired 过期 dead 死信 | open, or how it ended',
    },
    { name: 'page', type: 'varchar(255)', comment: '点击后打开的页面 | page that a tap opens' },
    { name: 'data', type: 'text', comment: '模板各字段的文字 JSON | texts by key of the template, JSON' },
    { name: 'not_before', type: 'bigint', comment: '最早发送时间（毫秒） | not sent before, ms' },
    { name: 'not_after', type: 'bigint', comment: '最晚发送时间（毫秒） | not sent from then on, ms' },
    {
      name: 'claimed_at',
      type: 'bigint',
      default: 0,
      comment: '首次取出发送的时间（毫秒），0 = 尚未 | first taken for sending, ms; 0 = not yet',
    },
    {
      name: 'spared',
      type: 'smallint unsigned',
      default: 0,
      comment:
        '不计入次数上限的尝试：微信不可用、令牌被拒或额度用完时 | attempts that do not count: WeChat away, token refused, quota spent',
    },
    {
      name: 'requeues',
      type: 'smallint unsigned',
      default: 0,
      comment: '重新排队次数 | how often it was queued again after it was dead',
    },
    {
      name: 'submitted_by',
      type: 'varchar(64)',
      comment: 'API 密钥名称 | name of the API key that submitted it',
    },
    { name: 'created_at', type: 'bigint', comment: '创建时间（毫秒） | created, ms' },
    { name: 'updated_at', type: 'bigint', comment: '更新时间（毫秒） | updated, ms' },
  ],
  primaryKey: ['message_id'],
  indexes: {
    wx_submitted_message_app_idx: ['app_id', 'message_id'],
    wx_submitted_message_state_idx: ['app_id', 'state', 'message_id'],
    wx_submitted_message_user_idx: ['app_id', 'user_id', 'message_id'],
    wx_submitted_message_open_idx: ['app_id', 'user_id', 'state'],
    wx_submitted_message_template_idx: ['app_id', 'template_id', 'message_id'],
    wx_submitted_message_expiry_idx: ['app_id', 'state', 'not_after'],
  },
  checks: {
    wx_submitted_message_state_ck: oneOf('state', [
      'open',
      'delivered',
      'failed',
      'unknown',
      'cancelled',
      'no_permit',
      'expired',
      'dead',
    ]),
  },
})
