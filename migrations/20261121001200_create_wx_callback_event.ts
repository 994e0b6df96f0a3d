import { oneOf, tableMigration } from './lib/tables.js'

/**
 * What WeChat pushed, stored before the answer and processed after it. An event with a list has a row for
 * each item. `event_key` is a hash over app_id, open_id, event, event_time, template_id and msgid, because
 * NULLs in a unique key are never equal. A row to be processed has a `next_attempt_at` and is found by it; a
 * row that is done has none.
 */
export const { up, down } = tableMigration({
  name: 'wx_callback_event',
  comment: '微信事件推送：每个事件项一行 | events pushed by WeChat: one row per item',
  columns: [
    { name: 'id', type: 'identity', comment: '编号 | event id' },
    { name: 'app_id', type: 'varchar(64)', ascii: true, comment: '小程序或服务号 app_id | account' },
    {
      name: 'open_id',
      type: 'varchar(100)',
      ascii: true,
      comment: "微信 openid，无则为空串 | WeChat openid, '' if the event had none",
    },
    { name: 'event', type: 'varchar(64)', ascii: true, comment: '事件名 Event | name of the event' },
    {
      name: 'event_time',
      type: 'bigint',
      comment: '事件时间 CreateTime（秒），0 = 未知 | when it happened by WeChat, SECONDS, 0 = not said',
    },
    {
      name: 'template_id',
      type: 'varchar(64)',
      ascii: true,
      nullable: true,
      comment: '模板编号 | template',
    },
    {
      name: 'msgid',
      type: 'varchar(32)',
      ascii: true,
      nullable: true,
      comment: '微信消息编号 | msgid of WeChat',
    },
    {
      name: 'event_key',
      type: 'char(64)',
      ascii: true,
      comment: '去重键（SHA-256） | hash of what makes it the same event',
    },
    { name: 'payload', type: 'text', comment: '事件内容 JSON（有长度上限） | the rest of it, JSON, bounded' },
    {
      name: 'state',
      type: 'varchar(16)',
      ascii: true,
      comment: 'stored 待处理 waiting 等待用户或消息 done 已处理 | to be processed, waiting, done',
    },
    {
      name: 'outcome',
      type: 'varchar(32)',
      ascii: true,
      nullable: true,
      comment: '处理结果，如 granted ignored no_user unknown_message | what came of it, or what it waits for',
    },
    {
      name: 'next_attempt_at',
      type: 'bigint',
      nullable: true,
      comment: '下次处理时间（毫秒），处理完为空 | to be processed from then on, ms; NULL once done',
    },
    { name: 'trace_id', type: 'varchar(36)', ascii: true, comment: '日志追踪编号 | trace id in the logs' },
    { name: 'received_at', type: 'bigint', comment: '收到时间（毫秒） | received, ms' },
    { name: 'processed_at', type: 'bigint', nullable: true, comment: '处理完时间（毫秒） | done, ms' },
  ],
  uniques: { wx_callback_event_key_uq: ['event_key'] },
  indexes: {
    // For the purge.
    wx_callback_event_received_idx: ['app_id', 'received_at'],
    wx_callback_event_due_idx: ['app_id', 'next_attempt_at'],
    // Tells whether something newer is known about a person: events come out of order.
    wx_callback_event_person_idx: ['app_id', 'open_id', 'event_time'],
  },
  checks: { wx_callback_event_state_ck: oneOf('state', ['stored', 'waiting', 'done']) },
})
