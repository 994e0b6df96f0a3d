import { oneOf, tableMigration } from './lib/tables.js'

/**
 * What a backend is told of its messages: one row for each event, written in the transaction that brought it about, and
 * kept as the log of its delivery. What the request says is read when it is sent.
 */
export const { up, down } = tableMigration({
  name: 'wx_webhook_delivery',
  comment:
    '消息结果的通知，每个事件一行，也是通知记录 | what backends are told of their messages, one row per event; also the log',
  columns: [
    { name: 'id', type: 'identity', comment: '编号 | delivery id' },
    { name: 'app_id', type: 'varchar(64)', ascii: true, comment: '小程序 app_id | account' },
    { name: 'message_id', type: 'bigint unsigned', comment: '消息 wx_push_message.id | message' },
    {
      name: 'event',
      type: 'varchar(16)',
      ascii: true,
      comment:
        '消息的结果 wx_submitted_message.state，或 reported 微信回报送达 | how the message ended, or reported: the event of WeChat',
    },
    {
      name: 'state',
      type: 'varchar(16)',
      ascii: true,
      default: 'waiting',
      comment: 'waiting 待通知 delivered 已通知 failed 已放弃 | waiting, or how it ended',
    },
    {
      name: 'attempts',
      type: 'smallint unsigned',
      default: 0,
      comment: '已请求次数 | requests that were begun',
    },
    {
      name: 'next_attempt_at',
      type: 'bigint',
      comment: '下次请求时间（毫秒） | when it is sent, or sent again, ms',
    },
    {
      name: 'lease_until',
      type: 'bigint',
      default: 0,
      comment:
        '在此之前由一个进程发送（毫秒），0 = 无 | until then a process has it in hand, ms; 0 = none has',
    },
    { name: 'http_status', type: 'int', nullable: true, comment: '最近一次应答 | the last answer' },
    {
      name: 'error',
      type: 'varchar(64)',
      ascii: true,
      nullable: true,
      comment: '最近一次没有应答的原因 | why there was no answer the last time',
    },
    { name: 'created_at', type: 'bigint', comment: '事件发生时间（毫秒） | when it happened, ms' },
    {
      name: 'ended_at',
      type: 'bigint',
      default: 0,
      comment: '结束时间（毫秒），0 = 未结束 | delivered or given up, ms; 0 = not yet',
    },
  ],
  indexes: {
    wx_webhook_delivery_app_idx: ['app_id', 'id'],
    wx_webhook_delivery_state_idx: ['app_id', 'state', 'id'],
    wx_webhook_delivery_due_idx: ['app_id', 'state', 'next_attempt_at'],
    wx_webhook_delivery_message_idx: ['message_id', 'id'],
  },
  checks: {
    wx_webhook_delivery_event_ck: oneOf('event', [
      'delivered',
      'failed',
      'unknown',
      'cancelled',
      'no_permit',
      'expired',
      'dead',
      'reported',
    ]),
    wx_webhook_delivery_state_ck: oneOf('state', ['waiting', 'delivered', 'failed']),
  },
})
