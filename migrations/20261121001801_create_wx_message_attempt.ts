import { oneOf, tableMigration } from './lib/tables.js'

/** What WeChat answered to each request for a submitted message, written with the verdict on it. */
export const { up, down } = tableMigration({
  name: 'wx_message_attempt',
  comment: '接口消息的每次请求及应答 | each request for a submitted message, and its answer',
  columns: [
    { name: 'id', type: 'identity', comment: '编号 | attempt id' },
    { name: 'message_id', type: 'bigint unsigned', comment: '消息 wx_push_message.id | message' },
    {
      name: 'permit_id',
      type: 'bigint unsigned',
      nullable: true,
      comment: '使用的 wx_save_form_id.id，空 = 不需要 | permit it spent; NULL = needed none',
    },
    {
      name: 'outcome',
      type: 'varchar(16)',
      ascii: true,
      comment:
        'accepted 已接收 refused 被拒 unreachable 未连上 ambiguous 结果不明 interrupted 进程中断 | what came back; interrupted: its process ended',
    },
    { name: 'errcode', type: 'int', nullable: true, comment: '微信返回的错误码 | errcode of WeChat' },
    { name: 'errmsg', type: 'varchar(500)', nullable: true, comment: '微信返回信息 | errmsg of WeChat' },
    {
      name: 'rid',
      type: 'varchar(64)',
      nullable: true,
      comment: '微信请求编号 rid | rid of WeChat, for their support',
    },
    { name: 'msgid', type: 'varchar(32)', nullable: true, comment: '微信消息编号 | msgid of WeChat' },
    { name: 'ended_at', type: 'bigint', comment: '记录时间（毫秒） | when it was written down, ms' },
  ],
  indexes: { wx_message_attempt_message_idx: ['message_id'] },
  checks: {
    wx_message_attempt_outcome_ck: oneOf('outcome', [
      'accepted',
      'refused',
      'unreachable',
      'ambiguous',
      'interrupted',
    ]),
  },
})
