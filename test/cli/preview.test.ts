import { describe, expect, onTestFinished, test } from 'vitest'
import { run } from '../../src/cli/run.js'
import { columnsOf } from '../../src/lib/columns.js'
import { recordSignIn } from '../../src/sign-ins/sign-in.js'
import { APP_ID, NOW } from '../helpers/constants.js'
import { createTestDatabase, dialects } from '../helpers/database.js'

const DATA = {
  thing1: '每日签到',
  thing2: [{ min_streak: 2, text: '已连续签到{streak}天，别断了' }, { text: '今天开始签到吧' }],
  date3: '{date}',
}
const SETTINGS = {
  WX_APP_ID: APP_ID,
  WX_CHANNEL: 'subscribe',
  REMINDER_TEMPLATE_ID: 'template-1',
  REMINDER_PAGE: 'pages/sign-in/index',
  REMINDER_DATA: JSON.stringify(DATA),
}

/** The command line in this very process, as main.ts calls it. No URL of WeChat, and no secret. */
async function call(words: string[], settings: Record<string, string> = {}) {
  const written = { stdout: '', stderr: '' }
  const streams = {
    stdout: { write: (text: string) => (written.stdout += text) },
    stderr: { write: (text: string) => (written.stderr += text) },
  }
  const env = { DATABASE_URL: 'sqlite:/nowhere/to/be/found.db', ...SETTINGS, ...settings }
  const code = await run(['node', 'reminder', 'preview', ...words], env, streams)
  return { code, ...written }
}

const saying = (streak: number, thing2: string) => ({
  streak,
  data: { thing1: { value: '每日签到' }, thing2: { value: thing2 }, date3: { value: '2026.11.20' } },
})

test('says what users with different streaks would read, before there is any database', async () => {
  const { code, stdout, stderr } = await call(['--date', '2026-11-20', '--json'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(JSON.parse(stdout)).toEqual({
    date: '2026-11-20',
    channel: 'subscribe',
    template_id: 'template-1',
    page: 'pages/sign-in/index',
    jump: { url: null, miniprogram: null },
    opens: 'pages/sign-in/index',
    samples: [saying(0, '今天开始签到吧'), saying(1, '今天开始签到吧'), saying(7, '已连续签到7天，别断了')],
    user: null,
    notes: [],
  })
})

test('draws a card for each text, with straight borders', async () => {
  const { stdout } = await call(['--date', '2026-11-20'])
  expect(stdout).toContain('Streak 0, 1 | 连续签到 0、1 天')
  expect(stdout).toContain('Streak 7 | 连续签到 7 天')
  expect(stdout).toContain('A tap opens | 点击打开: pages/sign-in/index')
  const drawn = stdout.split('\n').filter((line) => /^[╭│├╰]/.test(line))
  expect(drawn.filter((line) => line.startsWith('╭'))).toHaveLength(2)
  expect(new Set(drawn.map(columnsOf)).size).toBe(1)
  expect(drawn.join('\n')).toMatch(/│ thing2 {2}已连续签到7天，别断了 +│/)
})

describe.each(dialects)('on %s', (dialect) => {
  test('says what a user would read, with the streak of the day before', async () => {
    const { db, url, close } = await createTestDatabase(dialect)
    onTestFinished(close)
    for (const day of [20_261_117, 20_261_118, 20_261_119])
      await recordSignIn(db, { appId: APP_ID, userId: 7, day }, NOW)
    const of = async (user: string, date: string) => {
      const { stdout } = await call(['--user', user, '--date', date, '--json'], { DATABASE_URL: url })
      return JSON.parse(stdout).user
    }
    expect(await of('7', '2026-11-20')).toEqual({ user_id: 7, ...saying(3, '已连续签到3天，别断了') })
    expect(await of('7', '2026-11-21')).toMatchObject({
      streak: 0,
      data: { thing2: { value: '今天开始签到吧' } },
    })
    expect(await of('7', '2026-11-18')).toMatchObject({ streak: 1 })
    expect(await of('9007199254740993', '2026-11-20')).toMatchObject({
      user_id: '9007199254740993',
      streak: 0,
    })
    const { stdout } = await call(['--user', '7', '--date', '2026-11-20'], { DATABASE_URL: url })
    expect(stdout).toContain('User 7, streak 3 | 用户 7，连续签到 3 天')
  })
})

test('names what is no fault and that users will notice', async () => {
  const names = async (settings: Record<string, string>) => {
    const { stdout } = await call(['--json'], settings)
    return JSON.parse(stdout).notes.map(({ name }: { name: string }) => name)
  }
  expect(await names({ REMINDER_PAGE: '', REMINDER_TEMPLATE_ID: '' })).toEqual([
    'cannot_be_tapped',
    'no_template',
  ])
  expect(await names({ REMINDER_DATA: '{"thing1":"第{streak}天"}' })).toEqual(['says_zero'])
  expect(await names({ REMINDER_DATA: '{"keyword1":"签到"}' })).toEqual(['old_key'])
  expect(await names({ REMINDER_DATA: '{"keyword1":"签到"}', WX_CHANNEL: 'form_id' })).toEqual([])
  expect(await names({ WX_CHANNEL: 'official', REMINDER_PAGE: '' })).toEqual(['cannot_be_tapped'])
  expect(
    await names({ WX_CHANNEL: 'official', REMINDER_PAGE: '', REMINDER_URL: 'https://shop.example/' }),
  ).toEqual([])
})

test('of a service account it says where a tap jumps to, the mini-program first', async () => {
  const settings = {
    WX_CHANNEL: 'official',
    REMINDER_PAGE: '',
    REMINDER_URL: 'https://shop.example/',
    REMINDER_MINIPROGRAM: '{"appid":"wx2","pagepath":"pages/index"}',
  }
  expect((await call([], settings)).stdout).toContain('点击打开: wx2 pages/index')
  expect(JSON.parse((await call(['--json'], settings)).stdout)).toMatchObject({
    page: null,
    jump: { url: 'https://shop.example/', miniprogram: { appid: 'wx2', pagepath: 'pages/index' } },
  })
})

test('a text that WeChat would refuse is named, and so is a missing one', async () => {
  const broken = await call(['--json'], { REMINDER_DATA: '{"phrase1":"第{streak}天","thing2":"好"}' })
  expect(broken.code).toBe(1)
  expect(JSON.parse(broken.stdout).error.message).toMatch(/REMINDER_DATA: "phrase1".*at most 5 Chinese.*汉字/)
  const missing = await call([], { REMINDER_DATA: '' })
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('REMINDER_DATA: is not set') })
})
