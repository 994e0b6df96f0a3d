import { oneOf, tableMigration } from './lib/tables.js'

/** What messages say, once for all messages that say the same. Rows never change: a new wording is a new row. */
export const { up, down } = tableMigration({
  name: 'wx_card',
  comment:
    '消息内容：接口、模板、页面、文字，同样内容只存一行 | what messages say: one row for all that say the same',
  columns: [
    { name: 'id', type: 'identity', comment: '编号 | card id' },
    { name: 'app_id', type: 'varchar(64)', ascii: true, comment: '小程序 app_id | account' },
    {
      name: 'card_key',
      type: 'char(64)',
      ascii: true,
      comment: '去重键（SHA-256） | hash of what makes it the same card',
    },
    {
      name: 'channel',
      type: 'varchar(16)',
      ascii: true,
      comment: '发送接口 form_id / subscribe / official | WeChat interface',
    },
    { name: 'template_id', type: 'varchar(64)', ascii: true, comment: '模板编号 | template' },
    { name: 'page', type: 'varchar(255)', comment: '点击后打开的页面 | page that a tap opens' },
    {
      name: 'data',
      type: 'text',
      comment:
        '模板各字段的文字 JSON，或按 min_streak 的备选，{date}、{weekday}、{streak} 发送时替换 | texts by key of the template, or alternatives by min_streak, JSON; placeholders are filled in when it is sent',
    },
    { name: 'created_at', type: 'bigint', comment: '创建时间（毫秒） | created, ms' },
  ],
  uniques: { wx_card_key_uq: ['app_id', 'card_key'] },
  checks: { wx_card_channel_ck: oneOf('channel', ['form_id', 'subscribe', 'official']) },
})
