import { oneOf, tableMigration } from './lib/tables.js'

/**
 * What became of the messages of each run, counted in the transactions that change them: a million messages cannot be
 * counted by state within a page's 100 ms. The counts of one key lie in several shards, so that processes do not queue
 * on one row; only their sum means something, and a shard can be below zero (a message counted `unknown` in one shard
 * leaves it in another).
 */
export const { up, down } = tableMigration({
  name: 'wx_run_outcome',
  comment:
    '任务的实时结果计数，与消息在同一事务中更新 | outcomes of each run, counted in the transactions that change its messages',
  columns: [
    { name: 'run_id', type: 'bigint unsigned', comment: '任务 wx_job_run.id | run' },
    {
      name: 'outcome',
      type: 'varchar(16)',
      ascii: true,
      comment:
        'claimed 占用总数；delivered failed unknown cancelled waiting 当前状态；retried next_permit 尝试次数；reported 微信事件 | all that were claimed; messages now in that state; attempts; delivery events',
    },
    { name: 'errcode', type: 'int', default: 0, comment: '错误码，0 = 无 | errcode of WeChat, 0 = none' },
    {
      name: 'cause',
      type: 'varchar(64)',
      default: '',
      comment:
        '无错误码时的原因；reported 为微信的状态文字 | why there was no code; of reported, the status that WeChat gave',
    },
    {
      name: 'template_id',
      type: 'varchar(64)',
      ascii: true,
      default: '',
      comment: '模板编号，claimed 与 waiting 为空 | template; empty for claimed and waiting',
    },
    {
      name: 'shard',
      type: 'smallint unsigned',
      comment: '分片，避免多进程争用同一行 | shard, so that processes do not wait for one row',
    },
    {
      name: 'messages',
      type: 'bigint',
      comment: '条数，各分片之和才有意义 | how many; only the sum over the shards means something',
    },
    { name: 'first_seen_at', type: 'bigint', nullable: true, comment: '首次（毫秒） | first, ms' },
    { name: 'last_seen_at', type: 'bigint', nullable: true, comment: '最近一次（毫秒） | last, ms' },
    {
      name: 'sample_rid',
      type: 'varchar(64)',
      nullable: true,
      comment: '最近一个微信请求编号 rid | the latest rid of WeChat',
    },
    {
      name: 'sample_message_id',
      type: 'bigint unsigned',
      nullable: true,
      comment: '最近一条消息 wx_push_message.id | the latest message',
    },
  ],
  primaryKey: ['run_id', 'outcome', 'errcode', 'cause', 'template_id', 'shard'],
  checks: {
    wx_run_outcome_outcome_ck: oneOf('outcome', [
      'claimed',
      'delivered',
      'failed',
      'unknown',
      'cancelled',
      'waiting',
      'retried',
      'next_permit',
      'reported',
    ]),
  },
})
