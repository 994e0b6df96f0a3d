import { oneOf, tableMigration } from './lib/tables.js'

/**
 * One row per message, from claimed to settled. The unique key keeps a user from getting two reminders on one
 * day: NULLs are never equal to each other, so a cancelled reminder frees the day, and messages of the API
 * have none. The row is narrow, because a run writes one for each user and then updates it: what reminders have
 * in common is in wx_card, who holds them in wx_claim, and when to try again in wx_message_retry. The view
 * wx_push_message_detail puts it together.
 */
export const { up, down } = tableMigration({
  name: 'wx_push_message',
  comment: '推送消息：每条提醒或接口消息一行 | messages: one row per reminder or API message',
  columns: [
    { name: 'id', type: 'identity', comment: '编号 | message id' },
    { name: 'app_id', type: 'varchar(64)', ascii: true, comment: '小程序 app_id | account' },
    { name: 'user_id', type: 'bigint', comment: "业务用户编号 | the owner's number of the user" },
    {
      name: 'open_id',
      type: 'varchar(100)',
      ascii: true,
      nullable: true,
      comment: '微信 openid，空 = 凭证的 openid | WeChat openid; NULL = the one that gave the permit',
    },
    {
      name: 'kind',
      type: "enum('reminder','api')",
      default: 'reminder',
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
      name: 'claim_id',
      type: 'bigint unsigned',
      comment:
        '占用 wx_claim.id：发送中由谁持有，接管即换 | the claim that has it, or had it; a takeover changes it',
    },
    {
      name: 'permit_id',
      type: 'bigint unsigned',
      nullable: true,
      comment: '使用的 wx_save_form_id.id | permit it spends, through every retry',
    },
    {
      name: 'card_id',
      type: 'bigint unsigned',
      comment: '内容 wx_card.id：接口、模板、页面、文字 | what it says: interface, template, page, texts',
    },
    {
      name: 'streak',
      type: 'int',
      default: 0,
      comment:
        '占用时的连续签到天数，即文字中的 {streak} | days signed in up to the day before, {streak} in its texts',
    },
    {
      name: 'state',
      type: "enum('queued','sending','retry','delivered','failed','unknown','cancelled')",
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
      name: 'last_date_before',
      type: 'bigint',
      default: 0,
      comment: '占用前的 last_date，退还时恢复 | last_date before the claim, restored when given back',
    },
    {
      name: 'errcode',
      type: 'int',
      nullable: true,
      comment: '微信返回的错误码，成功为空 | errcode of WeChat; NULL = none, or accepted',
    },
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
    { name: 'created_at', type: 'bigint', comment: '创建时间（毫秒） | created, ms' },
    // 0, not NULL: a settle that makes its row longer moves it, which costs three times as much.
    {
      name: 'settled_at',
      type: 'bigint',
      default: 0,
      comment: '完结时间（毫秒），0 = 未完结 | settled, ms; 0 = not yet',
    },
    { name: 'updated_at', type: 'bigint', comment: '更新时间（毫秒） | updated, ms' },
  ],
  // The day comes first: the reminders of a run are then inserted one after the other, whatever the history.
  uniques: { wx_push_message_reminder_uq: ['app_id', 'business_date', 'user_id'] },
  // Both grow at their end, so they cost a claim next to nothing; and a settle writes to no index.
  indexes: {
    wx_push_message_claim_idx: ['claim_id'],
    wx_push_message_run_idx: ['run_id'],
  },
  checks: {
    wx_push_message_kind_ck: oneOf('kind', ['reminder', 'api']),
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
