import { tableMigration } from './lib/tables.js'

export const { up, down } = tableMigration({
  name: 'wx_user',
  comment:
    "用户：openid 与业务编号对应，退订与拉黑 | users: openid and the owner's number, opt-outs and blocks",
  columns: [
    { name: 'app_id', type: 'varchar(64)', ascii: true, comment: '小程序 app_id | account' },
    { name: 'open_id', type: 'varchar(100)', ascii: true, comment: '微信 openid | WeChat openid' },
    {
      name: 'user_id',
      type: 'bigint',
      nullable: true,
      comment: "业务用户编号 | the owner's number of the user",
    },
    {
      name: 'union_id',
      type: 'varchar(64)',
      ascii: true,
      nullable: true,
      comment: '微信 unionid | WeChat unionid',
    },
    { name: 'opted_out_at', type: 'bigint', nullable: true, comment: '退订时间（毫秒） | opted out, ms' },
    { name: 'blocked_at', type: 'bigint', nullable: true, comment: '拉黑时间（毫秒） | blocked, ms' },
    {
      name: 'stop_errcode',
      type: 'int',
      nullable: true,
      comment: '导致退订或拉黑的返回码 | errcode that recorded the opt-out or block',
    },
    {
      name: 'stop_message_id',
      type: 'bigint unsigned',
      nullable: true,
      comment:
        '因哪条消息被拒而停发，可批量恢复；人工或用户要求为空 | message whose refusal recorded it; NULL: by hand, by an event, or by wish',
    },
    {
      name: 'stop_template_id',
      type: 'varchar(64)',
      ascii: true,
      nullable: true,
      comment:
        '退订只针对该订阅模板；空 = 针对所有消息 | the subscription template that the opt-out is about; NULL: all messages',
    },
    { name: 'created_at', type: 'bigint', comment: '创建时间（毫秒） | created, ms' },
    { name: 'updated_at', type: 'bigint', comment: '更新时间（毫秒） | updated, ms' },
  ],
  primaryKey: ['app_id', 'open_id'],
  // All that a claim wants to know of a user, so that it does not read the row.
  indexes: { wx_user_user_idx: ['app_id', 'user_id', 'opted_out_at', 'blocked_at', 'stop_template_id'] },
})
