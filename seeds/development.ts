import type { Knex } from 'knex'
import { DateTime } from 'luxon'

/** Marks our rows: no openid of WeChat looks like this. */
const PREFIX = 'oSeed_'
const DAY_MS = 86_400_000
const TABLES = ['wx_save_form_id', 'wx_push_message', 'wx_user']
const FIRST_USER = 9001
const LAST_USER = 9006

/**
 * A few users to try things with, for the account WX_APP_ID. The same day gives the same rows, and running it
 * again starts over. Refuses a database that has rows of anyone else.
 */
export async function seed(db: Knex): Promise<void> {
  const appId = process.env.WX_APP_ID ?? 'wxdevelopment'
  const today = DateTime.now()
    .setZone(process.env.TIMEZONE ?? 'Asia/Shanghai')
    .startOf('day')
  await db.transaction(async (trx) => {
    await refuseRealData(trx)
    await removeOwnRows(trx)
    await insertRows(trx, appId, today)
  })
}

async function refuseRealData(trx: Knex.Transaction): Promise<void> {
  for (const table of TABLES) {
    const foreign = await trx(table).whereNot('open_id', 'like', `${PREFIX}%`).first('open_id')
    if (foreign)
      throw new Error(`${table} has rows that are not the seed's: sample data would mix with real users`)
  }
  for (const table of ['wx_message_push_status', 'wx_sign_in']) {
    const foreign = await trx(table).whereNotBetween('user_id', [FIRST_USER, LAST_USER]).first('user_id')
    if (foreign)
      throw new Error(`${table} has rows that are not the seed's: sample data would mix with real users`)
  }
}

async function removeOwnRows(trx: Knex.Transaction): Promise<void> {
  // Permits before counters, the order in which every transaction locks them.
  for (const table of [
    'wx_save_form_id',
    'wx_message_push_status',
    'wx_push_message',
    'wx_user',
    'wx_sign_in',
  ])
    await trx(table).whereBetween('user_id', [FIRST_USER, LAST_USER]).delete()
}

async function insertRows(trx: Knex.Transaction, appId: string, today: DateTime): Promise<void> {
  const midnight = today.toMillis()
  const times = { created_at: midnight, updated_at: midnight }
  const openId = (user: number) => `${PREFIX}${user}`
  const dayNumber = (daysAgo: number) => Number(today.minus({ days: daysAgo }).toFormat('yyyyMMdd'))
  /** Permits of one user: days until each expires, from the start of today. */
  const permits = (user: number, days: number[], values: object = {}) =>
    days.map((day, index) => ({
      app_id: appId,
      open_id: openId(user),
      user_id: user,
      form_id: `seed-${user}-${index + 1}`,
      use_no: 1,
      source: 'form',
      expire: midnight + day * DAY_MS,
      status: 0,
      ...times,
      ...values,
    }))
  const prepay = [1, 2, 3].map((use_no) => ({
    form_id: 'seed-prepay',
    use_no,
    source: 'pay',
    status: use_no === 1 ? 1 : 0,
  }))

  const rows = [
    ...permits(9001, [2, 4, 6]),
    // One that is good and two that the next sweep expires.
    ...permits(9002, [-1, -2, 5]),
    ...permits(9003, [-3], { status: 2 }),
    ...permits(9004, [3, 7]),
    ...permits(9005, [7]),
    ...prepay.flatMap((values) => permits(9006, [6], values)),
  ]
  const signIns = [
    { user_id: 9001, days: [3, 2, 1] },
    { user_id: 9004, days: [1, 0] },
    { user_id: 9006, days: [5] },
  ]
  const users = [9001, 9002, 9003, 9004, 9005, 9006]

  await trx('wx_save_form_id').insert(rows)
  await trx('wx_message_push_status').insert(
    users.map((user_id) => ({
      app_id: appId,
      user_id,
      count: rows.filter((row) => row.user_id === user_id && row.status === 0).length,
      last_date: user_id === 9001 ? dayNumber(1) : 0,
      ...times,
    })),
  )
  await trx('wx_user').insert(
    users.map((user_id) => ({
      app_id: appId,
      open_id: openId(user_id),
      user_id,
      opted_out_at: user_id === 9005 ? midnight : null,
      ...times,
    })),
  )
  await trx('wx_sign_in').insert(
    signIns.flatMap(({ user_id, days }) =>
      days.map((day, index) => ({
        app_id: appId,
        user_id,
        day: dayNumber(day),
        streak: index + 1,
        created_at: midnight,
      })),
    ),
  )
}
