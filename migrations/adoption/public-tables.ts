import { oneOf, type Table } from '../lib/tables.js'

/**
 * The two tables that DBAs and other programs know. They may already exist, in the shape that was published
 * in 2019:
 *
 *   wx_save_form_id(id int unsigned, open_id char(100), user_id int, form_id char(100), expire bigint, status int)
 *   wx_message_push_status(id int unsigned, user_id int unique, count int, last_date bigint)
 */
export const permits: Table = {
  name: 'wx_save_form_id',
  comment:
    '推送凭证：每行可给一个用户推送一条消息 | permits: each row is the right to push one message to one user',
  columns: [
    { name: 'id', type: 'identity', comment: '编号 | permit id' },
    {
      name: 'app_id',
      type: 'varchar(64)',
      ascii: true,
      default: '',
      comment: '小程序 app_id，空 = 尚未归属 | account; empty = not yet assigned to one',
    },
    { name: 'open_id', type: 'varchar(100)', ascii: true, comment: '微信 openid | WeChat openid' },
    { name: 'user_id', type: 'bigint', comment: "业务用户编号 | the owner's number of the user" },
    {
      name: 'form_id',
      type: 'varchar(128)',
      ascii: true,
      comment: '微信 form_id、prepay_id 或订阅编号 | form_id, prepay_id or id of a subscription',
    },
    // int, not smallint: an adopted table can hold more than 65,535 rows of one developer tool's mock
    // form_id.
    {
      name: 'use_no',
      type: 'int unsigned',
      default: 1,
      comment:
        '第几次使用：prepay_id 1 至 3，重复行 2 起 | use: 1 to 3 of a prepay_id; 2 and up for duplicates found at adoption',
    },
    {
      name: 'source',
      type: 'varchar(16)',
      ascii: true,
      default: 'form',
      comment: '来源 form 表单 / pay 支付 / subscribe 订阅 | where it came from',
    },
    {
      name: 'template_id',
      type: 'varchar(64)',
      ascii: true,
      nullable: true,
      comment: '订阅的模板，仅 subscribe | template of a subscription',
    },
    { name: 'page', type: 'varchar(255)', nullable: true, comment: '产生凭证的页面 | page that produced it' },
    { name: 'expire', type: 'bigint', comment: '过期时间（毫秒） | end of its validity, ms' },
    {
      name: 'status',
      type: 'tinyint',
      default: 0,
      comment: '0 未推送 / 1 已推送 / 2 过期 | 0 unspent, 1 spent, 2 expired',
    },
    {
      name: 'message_id',
      type: 'bigint unsigned',
      // 0, not NULL: spending a permit would make its row longer and move it, which costs three times as much.
      default: 0,
      comment: '使用它的 wx_push_message.id，0 = 无 | message that spent it; 0 = none',
    },
    {
      name: 'errcode',
      type: 'int',
      nullable: true,
      comment: "使其失效的微信返回码 | WeChat's answer that spoiled it, e.g. 41028",
    },
    // These columns pair a client's report of an accepted subscription with WeChat's event of the same tap:
    // one tap, one permit.
    {
      name: 'tapped_at',
      type: 'bigint',
      nullable: true,
      comment: '用户点击订阅的时间（毫秒），仅 subscribe | subscribe: when the user tapped, ms',
    },
    {
      name: 'confirmed_at',
      type: 'bigint',
      nullable: true,
      comment: "微信事件确认时间（毫秒） | subscribe: when WeChat's own event confirmed it, ms",
    },
    {
      name: 'created_at',
      type: 'bigint',
      default: 0,
      comment: '创建时间（毫秒），0 = 未知 | created, ms; 0 = not known',
    },
    { name: 'updated_at', type: 'bigint', default: 0, comment: '更新时间（毫秒） | updated, ms' },
  ],
  // A claim reads and writes a permit of each of many users in a row, and ids are in the order of the uploads.
  clustered: { columns: ['app_id', 'user_id', 'expire', 'id'] },
  uniques: { wx_save_form_id_permit_uq: ['app_id', 'form_id', 'use_no'] },
  // status is in no index: so a change of status touches no index, which makes the sweep three times as fast.
  indexes: {
    // On MySQL the primary key begins with the same columns, but the rows of a user's old permits are large: with 60 of
    // them, the oldest valid permits of 500 users take 6.8 ms by this index and 9.5 ms by the rows; with 240, 16 and 42.
    wx_save_form_id_oldest_idx: ['app_id', 'user_id', 'expire'],
    // With the id, in whose order the sweep goes on among permits that ran out at one moment.
    wx_save_form_id_stale_idx: ['app_id', 'expire', 'id'],
    // The taps of one person on one template, by time, so that pairing and refusals do not read the user's
    // other permits.
    wx_save_form_id_tap_idx: ['app_id', 'open_id', 'template_id', 'tapped_at'],
  },
  checks: {
    wx_save_form_id_status_ck: oneOf('status', [0, 1, 2]),
    wx_save_form_id_source_ck: oneOf('source', ['form', 'pay', 'subscribe']),
  },
}

export const counters: Table = {
  name: 'wx_message_push_status',
  comment:
    '用户推送状态：剩余凭证数与上次提醒日期 | push state of a user: permits left and day of the last reminder',
  columns: [
    { name: 'id', type: 'identity', comment: '编号 | row id' },
    {
      name: 'app_id',
      type: 'varchar(64)',
      ascii: true,
      default: '',
      comment: '小程序 app_id，空 = 尚未归属 | account; empty = not yet assigned to one',
    },
    { name: 'user_id', type: 'bigint', comment: "业务用户编号 | the owner's number of the user" },
    {
      name: 'count',
      type: 'int',
      default: 1,
      comment: "剩余可推送次数 = status 0 的凭证数 | permits left = this user's permits with status 0",
    },
    {
      name: 'last_date',
      type: 'bigint',
      default: 0,
      comment: '上次提醒日期 YYYYMMDD，0 = 从未 | day of the last reminder, 0 = never',
    },
    {
      name: 'created_at',
      type: 'bigint',
      default: 0,
      comment: '创建时间（毫秒），0 = 未知 | created, ms; 0 = not known',
    },
    { name: 'updated_at', type: 'bigint', default: 0, comment: '更新时间（毫秒） | updated, ms' },
  ],
  clustered: { columns: ['app_id', 'user_id'], onSqlite: 'wx_message_push_status_user_uq' },
  checks: { wx_message_push_status_count_ck: 'count >= 0' },
}
