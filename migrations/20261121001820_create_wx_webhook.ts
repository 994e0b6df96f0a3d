import { tableMigration } from './lib/tables.js'

/**
 * The accounts whose backend is told what became of its messages, as the processes that serve them were last configured.
 * Whatever ends a message finds here, in its own transaction, whether there is somebody to tell: also a command, or a
 * process that serves other accounts.
 */
export const { up, down } = tableMigration({
  name: 'wx_webhook',
  comment: '设置了消息结果通知的账号 | accounts whose backend is told what became of its messages',
  columns: [
    { name: 'app_id', type: 'varchar(64)', ascii: true, comment: '小程序 app_id | account' },
    { name: 'created_at', type: 'bigint', comment: '创建时间（毫秒） | created, ms' },
  ],
  primaryKey: ['app_id'],
})
