import { tableMigration } from './lib/tables.js'

/**
 * The requests that submitted messages, by their Idempotency-Key: written in the transaction that writes the messages,
 * so that a request that is sent again gets the answer of the first.
 */
export const { up, down } = tableMigration({
  name: 'wx_submission',
  comment:
    '提交消息的请求，按幂等键去重 | requests that submitted messages, so that one sent again gets the same answer',
  columns: [
    { name: 'id', type: 'identity', comment: '编号 | request id' },
    { name: 'app_id', type: 'varchar(64)', ascii: true, comment: '小程序 app_id | account' },
    // Compared byte by byte: `shop` and `Shop` are two backends, each with keys of its own.
    {
      name: 'submitted_by',
      type: 'varchar(64) COLLATE utf8mb4_bin',
      comment: 'API 密钥名称 | name of the API key',
    },
    {
      name: 'key_hash',
      type: 'char(64)',
      ascii: true,
      comment: 'Idempotency-Key 的 SHA-256 | SHA-256 of the Idempotency-Key',
    },
    {
      name: 'body_hash',
      type: 'char(64)',
      ascii: true,
      comment: '请求内容的 SHA-256 | SHA-256 of what was asked',
    },
    { name: 'answer', type: 'mediumtext', comment: '当时的应答 JSON | the answer, JSON' },
    { name: 'created_at', type: 'bigint', comment: '创建时间（毫秒） | created, ms' },
  ],
  uniques: { wx_submission_key_uq: ['app_id', 'submitted_by', 'key_hash'] },
  indexes: { wx_submission_created_idx: ['app_id', 'created_at'] },
})
