import { oneOf, tableMigration } from './lib/tables.js'

/**
 * When the messages in state `retry` are tried again, and when submitted messages that are `queued` may go out: few of
 * very many, so they have a table of their own instead of a column and an index of wx_push_message that each message
 * would write.
 */
export const { up, down } = tableMigration({
  name: 'wx_message_retry',
  comment:
    '等待发送的消息：排队的接口消息与待重试的消息，每条一行，取出时删除 | messages that wait: submitted ones for their time, others for another attempt; one row each, until then',
  columns: [
    { name: 'message_id', type: 'bigint unsigned', comment: '消息 wx_push_message.id | message' },
    { name: 'app_id', type: 'varchar(64)', ascii: true, comment: '小程序 app_id | account' },
    {
      name: 'kind',
      type: "enum('reminder','api')",
      default: 'reminder',
      comment: 'reminder 签到提醒 / api 接口消息 | sign-in reminder or submitted message',
    },
    {
      name: 'submitted_by',
      type: 'varchar(64)',
      default: '',
      comment:
        '接口消息的 API 密钥名称，各后端轮流取 | name of the API key of a submitted message: backends take turns',
    },
    { name: 'next_attempt_at', type: 'bigint', comment: '下次发送时间（毫秒） | next attempt, ms' },
  ],
  primaryKey: ['message_id'],
  indexes: {
    wx_message_retry_due_idx: ['app_id', 'kind', 'next_attempt_at'],
    wx_message_retry_turn_idx: ['app_id', 'kind', 'submitted_by', 'next_attempt_at'],
  },
  checks: { wx_message_retry_kind_ck: oneOf('kind', ['reminder', 'api']) },
})
