import { tableMigration } from './lib/tables.js'

/** The token that all processes share. Its lease names the process that fetches the next one. */
export const { up, down } = tableMigration({
  name: 'wx_access_token',
  comment: '各进程共用的 access_token | access tokens, shared by all processes',
  columns: [
    { name: 'app_id', type: 'varchar(64)', ascii: true, comment: '小程序 app_id | account' },
    {
      name: 'token',
      type: 'varchar(1024)',
      ascii: true,
      nullable: true,
      comment:
        '微信 access_token，保密；设了 TOKEN_KEY 则加密存放 | access_token of WeChat, secret; sealed if TOKEN_KEY is set',
    },
    { name: 'expires_at', type: 'bigint', default: 0, comment: '到期时间（毫秒） | end of its life, ms' },
    { name: 'version', type: 'int unsigned', default: 0, comment: '刷新次数 | counts refreshes' },
    {
      name: 'lease_owner',
      type: 'varchar(64)',
      ascii: true,
      nullable: true,
      comment: '正在刷新的进程 | process that refreshes it',
    },
    {
      name: 'lease_until',
      type: 'bigint',
      default: 0,
      comment: "刷新占用到期（数据库时钟，毫秒） | end of the refresher's claim, ms by the database clock",
    },
    {
      name: 'refreshed_at',
      type: 'bigint',
      nullable: true,
      comment: '上次刷新（毫秒） | last refreshed, ms',
    },
    { name: 'updated_at', type: 'bigint', comment: '更新时间（毫秒） | updated, ms' },
  ],
  primaryKey: ['app_id'],
})
