import { oneOf, tableMigration } from './lib/tables.js'

/**
 * One row per message, from claimed to settled. The unique key keeps a user from getting two reminders on one
 * day: NULLs are never equal to each other, so a cancelled reminder frees the day, and messages of the API
 * have none.
 */
export const { up, down } = tableMigration({
  name: 'wx_push_message',
  comment: '推送消息：每条提醒或接口消息一行 | messages: one row per reminder or API message',
  columns: [
    { name: 'id', type: 'identity', comment: '编号 | message id' },
    { name: 'app_id', type: 'varchar(64)', ascii: true, comment: '小程序 app_id | account' },
    { name: 'user_id', type: 'bigint', comment: "业务用户编号 | the owner's number of the user" },
    { name: 'open_id', type: 'varchar(100)', ascii: true, comment: '微信 openid | WeChat openid' },
    {
      name: 'kind',
      type: 'varchar(16)',
      ascii: true,
      comment: 'reminder 签到提醒 / api 接口消息 | sign-in reminder or submitted message',
    },
    {
      name: 'business_date',
      type: 'int',
      nullable: true,
      comment: '提醒日期 YYYYMMDD，取消后为空 | day of the reminder; NULL once cancelled and for api',
    },
    {
      name: 'run_id',
      type: 'bigint unsigned',
      nullable: true,
      comment: '所属任务 wx_job_run.id | run that claimed it',
    },
    {
      name: 'permit_id',
      type: 'bigint unsigned',
      nullable: true,
      comment: '使用的 wx_save_form_id.id | permit it spends, through every retry',
    },
    {
      name: 'channel',
      type: 'varchar(16)',
      ascii: true,
      comment: '发送接口 form_id / subscribe / official | WeChat interface',
    },
    { name: 'template_id', type: 'varchar(64)', ascii: true, comment: '模板编号 | template' },
    {
      name: 'page',
      type: 'varchar(255)',
      nullable: true,
      comment: '点击后打开的页面 | page that a tap opens',
    },
    { name: 'data', type: 'text', comment: '模板数据 JSON | template data as sent, JSON' },
    {
      name: 'state',
      type: 'varchar(16)',
      ascii: true,
      comment:
        '状态 queued 排队 sending 发送中 retry 待重试 delivered 成功 failed 失败 unknown 未知 cancelled 取消 | state',
    },
    { name: 'attempts', type: 'smallint unsigned', default: 0, comment: '已尝试次数 | attempts made' },
    {
      name: 'maybe_sent',
      type: 'tinyint',
      default: 0,
      comment:
        '1 = 可能已送达微信但结果未知 | 1 = an attempt may have reached WeChat, its answer is not known',
    },
    {
      name: 'fence',
      type: 'int unsigned',
      default: 1,
      comment: '接管序号，旧进程不能再写 | counts takeovers, so that a dead owner cannot write',
    },
    {
      name: 'lease_until',
      type: 'bigint',
      nullable: true,
      comment:
        '占用到期（数据库时钟，毫秒），仅发送中 | end of the claim, ms by the database clock; only while sending',
    },
    {
      name: 'next_attempt_at',
      type: 'bigint',
      nullable: true,
      comment: '下次重试时间（毫秒），仅待重试 | next attempt, ms; only in retry',
    },
    {
      name: 'last_date_before',
      type: 'bigint',
      default: 0,
      comment: '占用前的 last_date，退还时恢复 | last_date before the claim, restored when given back',
    },
    { name: 'errcode', type: 'int', nullable: true, comment: '微信返回码 | errcode of WeChat' },
    { name: 'errmsg', type: 'varchar(500)', nullable: true, comment: '微信返回信息 | errmsg of WeChat' },
    {
      name: 'rid',
      type: 'varchar(64)',
      nullable: true,
      comment: '微信请求编号 rid | rid of WeChat, for their support',
    },
    { name: 'msgid', type: 'varchar(32)', nullable: true, comment: '微信消息编号 | msgid of WeChat' },
    {
      name: 'delivery_status',
      type: 'varchar(64)',
      nullable: true,
      comment: "微信事件推送的送达结果 | delivery result from WeChat's event",
    },
    { name: 'trace_id', type: 'varchar(36)', ascii: true, comment: '日志追踪编号 | trace id in the logs' },
    { name: 'created_at', type: 'bigint', comment: '创建时间（毫秒） | created, ms' },
    { name: 'settled_at', type: 'bigint', nullable: true, comment: '完结时间（毫秒） | settled, ms' },
    { name: 'updated_at', type: 'bigint', comment: '更新时间（毫秒） | updated, ms' },
  ],
  uniques: { wx_push_message_reminder_uq: ['app_id', 'user_id', 'business_date'] },
  indexes: {
    wx_push_message_lease_idx: ['app_id', 'lease_until'],
    wx_push_message_retry_idx: ['app_id', 'next_attempt_at'],
    wx_push_message_run_idx: ['run_id'],
    // Finds the message that a delivery event is about: a person has few messages, and among them msgid
    // decides, or the time if the msgid is not known. Every settle would write an index on msgid; only the
    // claim writes this one.
    wx_push_message_person_idx: ['app_id', 'open_id'],
  },
  checks: {
    wx_push_message_kind_ck: oneOf('kind', ['reminder', 'api']),
    wx_push_message_channel_ck: oneOf('channel', ['form_id', 'subscribe', 'official']),
    wx_push_message_state_ck: oneOf('state', [
      'queued',
      'sending',
      'retry',
      'delivered',
      'failed',
      'unknown',
      'cancelled',
    ]),
  },
})
