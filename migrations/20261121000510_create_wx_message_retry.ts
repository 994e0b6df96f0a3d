import { tableMigration } from './lib/tables.js'

/**
 * When the messages in state `retry` are tried again: few of very many, so they have a table of their own instead of
 * a column and an index of wx_push_message that each message would write.
 */
export const { up, down } = tableMigration({
  name: 'wx_message_retry',
  comment:
    '待重试的消息：每条一行，重试时删除 | messages that wait for another attempt: one row each, until then',
  columns: [
    { name: 'message_id', type: 'bigint unsigned', comment: '消息 wx_push_message.id | message' },
    { name: 'app_id', type: 'varchar(64)', ascii: true, comment: '小程序 app_id | account' },
    { name: 'next_attempt_at', type: 'bigint', comment: '下次重试时间（毫秒） | next attempt, ms' },
  ],
  primaryKey: ['message_id'],
  indexes: { wx_message_retry_due_idx: ['app_id', 'next_attempt_at'] },
})
