import { tableMigration } from './lib/tables.js'

/**
 * Accepted pushes, until they are too old to be accepted again. In plain mode the signature does not cover
 * the body; this table makes a signature that was seen once good for that body only.
 */
export const { up, down } = tableMigration({
  name: 'wx_callback_nonce',
  comment: '已接受的推送签名，防重放 | accepted pushes, against replays',
  columns: [
    { name: 'id', type: 'identity', comment: '编号 | id' },
    { name: 'app_id', type: 'varchar(64)', ascii: true, comment: '小程序或服务号 app_id | account' },
    {
      name: 'mark',
      type: 'char(64)',
      ascii: true,
      comment: '时间戳、随机数与签名的 SHA-256 | hash of timestamp, nonce and signature',
    },
    {
      name: 'content',
      type: 'char(64)',
      ascii: true,
      comment: '内容的 SHA-256 | hash of what it carried',
    },
    { name: 'received_at', type: 'bigint', comment: '收到时间（毫秒） | received, ms' },
  ],
  uniques: { wx_callback_nonce_mark_uq: ['app_id', 'mark'] },
  // For the purge.
  indexes: { wx_callback_nonce_received_idx: ['app_id', 'received_at'] },
})
