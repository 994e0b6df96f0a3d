import { tableMigration } from './lib/tables.js'

/**
 * The processes that run the service, a row for each account that one serves: who is there, since when, in which version. Nothing depends on it; claims and
 * leases decide who does what.
 */
export const { up, down } = tableMigration({
  name: 'wx_instance',
  comment: '正在运行的进程，正常停止即删 | running processes; a row is deleted at an orderly stop',
  columns: [
    {
      name: 'instance_id',
      type: 'varchar(64)',
      ascii: true,
      comment:
        '主机名加随机数，每次启动不同，日志里也有 | host and random digits of one start, as in the log',
    },
    { name: 'app_id', type: 'varchar(64)', ascii: true, comment: '小程序 app_id | account' },
    { name: 'host', type: 'varchar(64)', ascii: true, comment: '主机名 | host name' },
    { name: 'pid', type: 'int', comment: '进程号 | process id on its host' },
    { name: 'version', type: 'varchar(32)', ascii: true, comment: '程序版本 | version of the program' },
    {
      name: 'started_at',
      type: 'bigint',
      comment: '启动时间（数据库时钟，毫秒） | started, ms by the database clock',
    },
    {
      name: 'seen_at',
      type: 'bigint',
      comment:
        '最近一次心跳（数据库时钟，毫秒），每 15 秒一次 | last sign of life, ms by the database clock, every 15 s',
    },
  ],
  primaryKey: ['instance_id', 'app_id'],
  // For the list of an account, and for the purge.
  indexes: { wx_instance_app_idx: ['app_id', 'seen_at'], wx_instance_seen_idx: ['seen_at'] },
})
