import { tableMigration } from './lib/tables.js'

/**
 * What WeChat says of an account and counts each question: its templates, its quotas. Kept, so that all processes ask
 * once. At most three rows per account.
 */
export const { up, down } = tableMigration({
  name: 'wx_platform_answer',
  comment:
    '微信对账号的答复（模板列表、接口额度），缓存，所有进程共用 | what WeChat says of an account (templates, quotas), kept for all processes',
  columns: [
    { name: 'app_id', type: 'varchar(64)', ascii: true, comment: '小程序或服务号 app_id | account' },
    {
      name: 'subject',
      type: 'varchar(100)',
      ascii: true,
      comment: '问的是什么，如 templates:subscribe | what was asked, such as templates:subscribe',
    },
    {
      name: 'answer',
      type: 'mediumtext',
      nullable: true,
      comment: '最近一次得到的答复 JSON，空 = 还没有 | the last answer that was had, JSON; NULL = none yet',
    },
    {
      name: 'answered_at',
      type: 'bigint',
      nullable: true,
      comment: '得到该答复的时间（毫秒） | when it was had, ms',
    },
    {
      name: 'failure',
      type: 'varchar(200)',
      ascii: true,
      nullable: true,
      comment: '最近一次没有得到答复的原因，空 = 得到了 | why the last question had no answer, NULL = it had',
    },
    {
      name: 'asked_for',
      type: 'varchar(64)',
      ascii: true,
      default: '',
      comment: '最近一次为哪次任务而问 | the run for which it was asked last',
    },
    {
      name: 'version',
      type: 'int',
      default: 0,
      comment: '问过的次数 | how often it was asked',
    },
    {
      name: 'owner',
      type: 'varchar(36)',
      ascii: true,
      default: '',
      comment: '正在询问的进程 | process that is asking',
    },
    {
      name: 'lease_until',
      type: 'bigint',
      default: 0,
      comment:
        '占用到何时（数据库毫秒），过期可接管 | held until, ms of the database clock; then any process asks',
    },
  ],
  primaryKey: ['app_id', 'subject'],
})
