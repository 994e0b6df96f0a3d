import { tableMigration } from './lib/tables.js'

/**
 * What was forecast on which day: the newest rows are the forecast, the older ones say how good it was. Nobody
 * waits for it to be computed: for a million users that takes a minute or two.
 */
export const { up, down } = tableMigration({
  name: 'wx_forecast_day',
  comment:
    '每日预测，由 summarize 写入 | the forecast, kept by summarize: one row per day made on and day foretold',
  columns: [
    { name: 'app_id', type: 'varchar(64)', ascii: true, comment: '小程序 app_id | account' },
    {
      name: 'made_on',
      type: 'int',
      comment: '预测日期 YYYYMMDD，当天的会被覆盖 | day it was made on; that of today is written anew',
    },
    { name: 'day', type: 'int', comment: '被预测的日期 YYYYMMDD | day it is about' },
    {
      name: 'position',
      type: 'int',
      nullable: true,
      comment:
        '之后第几次提醒，0 = 今天的已过，空 = 当天不提醒 | how many firings away; 0 = of today and past, NULL = none on that day',
    },
    {
      name: 'reachable',
      type: 'int',
      comment:
        '可提醒人数（不再有新凭证和签到） | users who can be reminded if no permit arrives and nobody signs in',
    },
    {
      name: 'permits_left',
      type: 'bigint',
      comment: '届时有效且此前未用的凭证数 | permits valid then and not spent before',
    },
    {
      name: 'going_dark',
      type: 'int',
      comment: '当天为最后一次可提醒的人数 | users for whom it is the last such day',
    },
    { name: 'as_of', type: 'bigint', comment: '计算时间（毫秒） | computed, ms' },
  ],
  primaryKey: ['app_id', 'made_on', 'day'],
})
