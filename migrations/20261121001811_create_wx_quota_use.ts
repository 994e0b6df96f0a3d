import { tableMigration } from './lib/tables.js'

/** What submitted messages have taken of a quota since WeChat told it last. One row per account and path. */
export const { up, down } = tableMigration({
  name: 'wx_quota_use',
  comment: '后端提交的消息占用的接口额度 | what submitted messages have taken of a quota',
  columns: [
    { name: 'app_id', type: 'varchar(64)', ascii: true, comment: '小程序或服务号 app_id | account' },
    { name: 'path', type: 'varchar(100)', ascii: true, comment: '微信接口路径 | path of the API' },
    {
      name: 'since',
      type: 'varchar(40)',
      ascii: true,
      comment:
        '从何时起计：额度日（北京时间）和第几次查询 | counted since: day of the quota in Beijing, and which reading of it',
    },
    { name: 'submitted', type: 'int', comment: '此后占用的次数 | calls taken since then' },
  ],
  primaryKey: ['app_id', 'path'],
})
