import { tableMigration } from './lib/tables.js'

export const { up, down } = tableMigration({
  name: 'wx_permit_stock',
  comment: '凭证库存，由 summarize 写入 | unspent permits by days left, kept by summarize',
  columns: [
    { name: 'app_id', type: 'varchar(64)', ascii: true, comment: '小程序 app_id | account' },
    {
      name: 'source',
      type: 'varchar(16)',
      ascii: true,
      comment: '来源 form / pay / subscribe | where they came from',
    },
    {
      name: 'template_id',
      type: 'varchar(64)',
      ascii: true,
      default: '',
      comment: "订阅的模板，其他来源为空 | template of subscriptions, '' of the others",
    },
    {
      name: 'days_left',
      type: 'int',
      comment:
        '剩余整天数，30 = 30 天及以上，-1 = 永久 | whole days left, 30 = so many or more, -1 = never run out',
    },
    { name: 'permits', type: 'bigint', comment: '凭证数 | permits' },
    { name: 'users', type: 'int', comment: '用户数 | users who have them' },
    { name: 'as_of', type: 'bigint', comment: '计算时间（毫秒） | counted, ms' },
  ],
  primaryKey: ['app_id', 'source', 'template_id', 'days_left'],
})
