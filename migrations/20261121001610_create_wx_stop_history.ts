import { oneOf, tableMigration } from './lib/tables.js'

/**
 * Stops that are over. wx_user holds only the present; why a user got nothing on a past day needs the past. A row is
 * written in the transaction that ends or replaces a stop, so it costs nothing while nothing changes. It does not say
 * which open_id it was: nobody asks for that, and so an erasure has nothing to look for here.
 */
export const { up, down } = tableMigration({
  name: 'wx_stop_history',
  comment: '已结束的退订与拉黑：每段一行 | opt-outs and blocks that are over: one row each',
  columns: [
    { name: 'id', type: 'identity', comment: '编号 | row id' },
    { name: 'app_id', type: 'varchar(64)', ascii: true, comment: '小程序 app_id | account' },
    {
      name: 'user_id',
      type: 'bigint',
      comment: '结束时绑定的业务用户编号 | user that the openid was bound to when it ended',
    },
    {
      name: 'kind',
      type: 'varchar(16)',
      ascii: true,
      comment: 'opt_out 退订 / block 拉黑 | opted out or blocked',
    },
    {
      name: 'errcode',
      type: 'int',
      nullable: true,
      comment: '导致它的返回码；用户要求或人工写入为空 | errcode that recorded it; NULL: by wish or by hand',
    },
    { name: 'began_at', type: 'bigint', comment: '开始时间（毫秒） | began, ms' },
    { name: 'ended_at', type: 'bigint', comment: '结束或被替换的时间（毫秒） | ended or was replaced, ms' },
  ],
  indexes: {
    wx_stop_history_user_idx: ['app_id', 'user_id', 'ended_at'],
    // For the purge.
    wx_stop_history_ended_idx: ['app_id', 'ended_at'],
  },
  checks: { wx_stop_history_kind_ck: oneOf('kind', ['opt_out', 'block']) },
})
