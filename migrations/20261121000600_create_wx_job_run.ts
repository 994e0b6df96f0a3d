import { oneOf, tableMigration } from './lib/tables.js'

/** One row per occurrence of a job. The unique key lets one process open an occurrence; the others join or leave it. */
export const { up, down } = tableMigration({
  name: 'wx_job_run',
  comment: '定时任务执行记录 | runs of the scheduled jobs',
  columns: [
    { name: 'id', type: 'identity', comment: '编号 | run id' },
    {
      // Without a CHECK, so that a new job needs no migration.
      name: 'job',
      type: 'varchar(32)',
      ascii: true,
      comment:
        '任务名，如 remind 提醒、expire 清理过期、purge 删除旧数据 | name of the job, such as remind, expire, purge',
    },
    { name: 'app_id', type: 'varchar(64)', ascii: true, comment: '小程序 app_id | account' },
    {
      name: 'slot',
      type: 'bigint',
      comment:
        '提醒与删除为日期 YYYYMMDD，清理为触发毫秒 | day of a remind or purge, ms of the firing of an expire',
    },
    {
      name: 'triggered_by',
      type: 'varchar(16)',
      ascii: true,
      comment: 'cron 定时 / catch-up 补跑 / manual 手动 | what started it',
    },
    {
      name: 'state',
      type: 'varchar(16)',
      ascii: true,
      comment:
        'running 进行 done 完成 halted 中止 paused 暂停 limited 达到上限 window_closed 超时 missed 错过 | state',
    },
    {
      name: 'reason',
      type: 'varchar(500)',
      nullable: true,
      comment: '原因（英文） | why it stands as it does, in English',
    },
    {
      name: 'reason_zh',
      type: 'varchar(500)',
      nullable: true,
      comment: '原因（中文） | the same in Chinese',
    },
    {
      name: 'cause',
      type: 'varchar(32)',
      ascii: true,
      nullable: true,
      comment:
        '原因的类别，如 configuration、operator | kind of the reason, such as configuration or operator',
    },
    {
      name: 'errcode',
      type: 'int',
      nullable: true,
      comment: '原因中的微信错误码 | errcode of WeChat behind it',
    },
    {
      name: 'claim_limit',
      type: 'int',
      nullable: true,
      comment: 'claimed 的上限（--limit），空 = 不限 | how far claimed may go, NULL = any number',
    },
    {
      name: 'claimed',
      type: 'int',
      default: 0,
      comment:
        '设上限后占用且未退还的消息数，仅有上限时计数 | claimed since there is a limit, less what was given back',
    },
    {
      name: 'due',
      type: 'int',
      default: 0,
      comment: '任务结束时的应提醒人数 | users due, as counted when the run ended',
    },
    {
      name: 'delivered',
      type: 'int',
      default: 0,
      comment:
        '成功数；五项合计在 running 时截至 updated_at，结束后始终准确 | delivered; these five totals are as of updated_at while the run is running, and always true once it has ended',
    },
    { name: 'failed', type: 'int', default: 0, comment: '失败数 | failed' },
    { name: 'unknown', type: 'int', default: 0, comment: '结果未知数 | answer never known' },
    { name: 'retrying', type: 'int', default: 0, comment: '待重试数 | still retrying' },
    { name: 'cancelled', type: 'int', default: 0, comment: '取消数 | cancelled' },
    {
      name: 'skipped_signed_in',
      type: 'int',
      default: 0,
      comment:
        '已签到而跳过；五项跳过数截至 skipped_at | skipped, had signed in; these five are as of skipped_at',
    },
    {
      name: 'skipped_no_permit',
      type: 'int',
      nullable: true,
      comment: '没有凭证，服务号为空 | skipped, had no permit; NULL on a service account, which needs none',
    },
    {
      name: 'skipped_no_valid_permit',
      type: 'int',
      nullable: true,
      comment: '凭证都已失效，服务号为空 | skipped, no permit was still valid; NULL on a service account',
    },
    { name: 'skipped_opted_out', type: 'int', default: 0, comment: '已退订 | skipped, had opted out' },
    { name: 'skipped_blocked', type: 'int', default: 0, comment: '无法送达 | skipped, cannot be reached' },
    {
      name: 'skipped_at',
      type: 'bigint',
      nullable: true,
      comment: '跳过数的统计时间（毫秒），空 = 未统计 | when the skipped were counted, ms; NULL = not yet',
    },
    {
      name: 'planned',
      type: 'int',
      nullable: true,
      comment: '任务建立时预计提醒的人数，空 = 未知 | users expected when it was opened, NULL = not known',
    },
    {
      name: 'settled_before',
      type: 'int',
      default: 0,
      comment:
        '本次启动前已完结的消息数，用于计算速度 | messages that had ended before started_at, for the rate',
    },
    { name: 'expired', type: 'int', default: 0, comment: '清理的过期凭证数 | permits expired' },
    { name: 'purged', type: 'int', default: 0, comment: '删除的旧行数 | old rows deleted' },
    { name: 'expired_users', type: 'int', default: 0, comment: '涉及用户数 | users of those' },
    {
      name: 'swept_from',
      type: 'bigint',
      nullable: true,
      comment: '清理起点 expire | where the sweep of expire began',
    },
    {
      name: 'swept_to',
      type: 'bigint',
      nullable: true,
      comment: '清理终点 expire | up to which expire sweeps have looked',
    },
    {
      name: 'pass_started_at',
      type: 'bigint',
      nullable: true,
      comment: '全表补查开始时间（毫秒） | when the pass through all older rows began, ms',
    },
    {
      name: 'pass_at',
      type: 'bigint',
      nullable: true,
      comment: '全表补查所到 expire，空 = 已结束 | where that pass stands; empty = it is over',
    },
    { name: 'started_at', type: 'bigint', comment: '开始时间（毫秒） | started, ms' },
    { name: 'finished_at', type: 'bigint', nullable: true, comment: '结束时间（毫秒） | finished, ms' },
    { name: 'updated_at', type: 'bigint', comment: '更新时间（毫秒） | updated, ms' },
  ],
  uniques: { wx_job_run_slot_uq: ['job', 'app_id', 'slot'] },
  // For the purge.
  indexes: { wx_job_run_app_idx: ['app_id'] },
  checks: {
    wx_job_run_triggered_by_ck: oneOf('triggered_by', ['cron', 'catch-up', 'manual']),
    wx_job_run_state_ck: oneOf('state', [
      'running',
      'done',
      'halted',
      'paused',
      'limited',
      'window_closed',
      'missed',
    ]),
  },
})
