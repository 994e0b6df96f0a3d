import { afterAll, beforeAll, expect, test } from 'vitest'
import { selectRows } from '../src/db/sql.js'
import { type Ended, runCommand, startCommand } from './helpers/command-line.js'
import { APP_ID } from './helpers/constants.js'
import { useDatabase } from './helpers/database.js'
import { eventually } from './helpers/eventually.js'
import { noonZone } from './helpers/noon-zone.js'
import { type StandIn, startStandIn } from './helpers/stand-in.js'
import { startTcpProxy, type TcpProxy } from './helpers/tcp-proxy.js'
import { json } from './helpers/wechat.js'

// @module-tag mysql
// @module-tag programs

const APP_SECRET = 'f00dbabe0123456789abcdef01234567'
const OTHER_SECRET = 'cafebabe0123456789abcdef01234567'
const API_KEY = 'key-7f3a9c51d2e84b60'
const SESSION_SECRET = 'session-secret-4be1d07a93c2f586e0'
const SESSION_KEY = 'HyVFkGl5F5OQWJZZaNzBBg=='
const CODES = ['code-0c3f-good', 'code-9a7e-used', 'code-51bd-lost']
const DATABASE_PASSWORD = 'pw-Zx81/kQ#m?3@v'
const DATABASE_USER = `reader_${process.pid}`
/** As WeChat's: 28 letters, digits, - and _. */
const openId = (userId: number) => `oAbC-9_${String(userId).padStart(4, '0')}xYzQwErTyUiOpAsDf`
/** Users whom a CHECK refuses, so that the driver has whole rows of values to complain about. */
const REFUSED_UPLOAD = 666
const REFUSED_CLAIM = 777

const database = useDatabase('mysql', { keepRows: true })
let line: TcpProxy
let wechat: StandIn
const outputs: { of: string; text: string }[] = []

beforeAll(async () => {
  const { db } = database
  await db.raw('CREATE USER ?? IDENTIFIED BY ?', [DATABASE_USER, DATABASE_PASSWORD])
  await db.raw('GRANT ALL ON ??.* TO ??', [new URL(database.url).pathname.slice(1), DATABASE_USER])
  const url = new URL(database.url)
  url.username = DATABASE_USER
  url.password = encodeURIComponent(DATABASE_PASSWORD)
  line = await startTcpProxy(url.href)
  wechat = await startStandIn()
})
afterAll(async () => {
  await wechat.close()
  await line.close()
  await database.db.raw('DROP USER IF EXISTS ??', [DATABASE_USER])
})

function environment(): Record<string, string> {
  return {
    DATABASE_URL: line.url,
    LOG_LEVEL: 'trace',
    PORT: '0',
    API_KEYS: `shop:${API_KEY}`,
    SESSION_SECRET,
    WX_APP_ID: APP_ID,
    WX_APP_SECRET: APP_SECRET,
    WX_API_BASE_URL: wechat.url,
    REMINDER_TEMPLATE_ID: 'template-1',
    REMINDER_DATA: '{"keyword1":"{date}"}',
    TIMEZONE: noonZone(),
    SEND_UNTIL: '23:59',
    // The schedule of the service keeps out of what the commands do here.
    REMIND_CRON: '58 23 31 12 *',
  }
}

function keep(of: string, { stdout, stderr }: Pick<Ended, 'stdout' | 'stderr'>): void {
  outputs.push({ of, text: stdout + stderr })
}

async function run(name: string, words: string[], env: Record<string, string> = {}): Promise<Ended> {
  const ended = await runCommand(words, { ...environment(), ...env })
  keep(name, ended)
  return ended
}

test('no secret, token, key, password or open_id is in any line that a service and its commands write', async () => {
  const { db } = database
  await db.raw(
    `ALTER TABLE wx_save_form_id ADD CONSTRAINT refused_upload CHECK (user_id <> ${REFUSED_UPLOAD})`,
  )

  // Uploads, good and bad ones, and a database that refuses, and one that is gone.
  const serving = startCommand(['serve'], environment())
  const started = await eventually(
    'the service listens',
    () => /"event":"service.started","url":"([^"]+)"/.exec(serving.stderr) ?? undefined,
  )
  const url = started[1] ?? ''
  const post = async (path: string, body: string, key = API_KEY): Promise<number> => {
    const response = await fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body,
    })
    await response.arrayBuffer()
    return response.status
  }
  const item = (userId: number) => ({ open_id: openId(userId), user_id: userId, form_id: `form-${userId}` })
  const users = [1, 2, 3, 4, 5, 6, 7, 8, REFUSED_CLAIM]
  expect(await post('/v1/form-ids', JSON.stringify({ items: users.map(item) }))).toBe(201)
  expect(await post('/v1/form-ids', JSON.stringify(item(REFUSED_UPLOAD)))).toBe(500)
  expect(await post('/v1/form-ids', JSON.stringify({ ...item(9), user_id: 'x' }))).toBe(422)
  expect(await post('/v1/form-ids', JSON.stringify(item(9)), `${API_KEY}-wrong`)).toBe(401)
  expect(await post(`/v1/${openId(3)}?access_token=TOKEN_in_a_query&key=${API_KEY}`, '{}')).toBe(404)
  // Logins: a good one, one that WeChat refuses with all it was sent, one that it does not answer, and forged sessions.
  const [goodCode = '', usedCode = '', lostCode = ''] = CODES
  wechat.answerLogins(json({ openid: openId(1), session_key: SESSION_KEY, unionid: 'u' }))
  const login = await fetch(`${url}/v1/sessions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ code: goodCode }),
  })
  const session = (await login.json()) as { token: string; user_id: number }
  expect(session).toMatchObject({ user_id: 1 })
  wechat.answerLogins((response, asked) =>
    json({ errcode: 40163, errmsg: `code been used, ${asked.query} rid: 6a-c` })(response, asked),
  )
  expect(await post('/v1/sessions', JSON.stringify({ code: usedCode }))).toBe(409)
  wechat.answerLogins((response, asked) =>
    json({ errcode: 40125, errmsg: `invalid appsecret ${asked.query.get('secret')}` })(response, asked),
  )
  expect(await post('/v1/sessions', JSON.stringify({ code: usedCode }))).toBe(503)
  wechat.answerLogins((response) => response.writeHead(500).end(`<p>${SESSION_KEY}</p>`))
  expect(await post('/v1/sessions', JSON.stringify({ code: lostCode }))).toBe(503)
  expect(await post('/v1/form-ids', '{"form_id":"form-1b"}', session.token)).toBe(201)
  expect(await post('/v1/form-ids', '{"form_id":"form-1b"}', `${session.token}x`)).toBe(401)
  expect(await post('/v1/form-ids', JSON.stringify({ ...item(2), user_id: 3 }))).toBe(201)
  line.cut()
  expect(await post('/v1/form-ids', JSON.stringify(item(10)))).toBe(503)
  expect(await post('/v1/form-ids', '{"form_id":"form-1c"}', session.token)).toBe(503)
  line.mend()
  serving.kill('SIGTERM')
  keep('serve', await serving.ended)

  // A wrong secret, which WeChat quotes in its refusal, and a token endpoint that fails.
  const quoting = (secret: string) =>
    json({ errcode: 40125, errmsg: `invalid appsecret ${secret} rid: 6a-b` })
  wechat.answerTokens(quoting(OTHER_SECRET))
  expect((await run('wrong secret', ['remind', '--json'], { WX_APP_SECRET: OTHER_SECRET })).code).toBe(2)
  wechat.answerTokens((response) => response.writeHead(500).end(`<p>${APP_SECRET}</p>`))
  expect((await run('no token', ['doctor'])).code).toBe(3)
  wechat.answerTokens(undefined)

  // A claim that the database refuses, with all its rows in the statement.
  await db.raw(`ALTER TABLE wx_push_message ADD CONSTRAINT refused_claim CHECK (user_id <> ${REFUSED_CLAIM})`)
  await run('refused claim', ['remind', '--json'])
  await db.raw('ALTER TABLE wx_push_message DROP CONSTRAINT refused_claim')

  // Sends that are refused with the token and the receiver in the answer, then good ones.
  wechat.answerSends((response, asked) => {
    const { touser } = asked.json as { touser: string }
    const errmsg = `invalid openid ${touser} for access_token=${asked.query.get('access_token')} ${asked.query.get('access_token')}`
    json({ errcode: 40003, errmsg })(response, asked)
  })
  await run('refused sends', ['remind', '--json', '--limit', '2'])
  wechat.answerSends(undefined)
  expect((await run('remind', ['remind', '--json'])).code).toBe(0)
  expect(wechat.taken.length).toBeGreaterThan(0)

  // A table that cannot keep a token, a password that is wrong, a database that is gone.
  await db.raw('DELETE FROM wx_access_token')
  await db.raw('ALTER TABLE wx_access_token ADD CONSTRAINT no_token CHECK (token IS NULL)')
  expect((await run('unkept token', ['doctor', '--json'])).code).toBe(3)
  const wrong = line.url.replace(DATABASE_USER, `${DATABASE_USER}x`)
  expect((await run('wrong user', ['audit', '--json'], { DATABASE_URL: wrong })).code).toBe(1)
  line.cut()
  expect((await run('gone', ['audit'])).code).toBe(1)

  const tokens = wechat.tokens
  expect(tokens.length).toBeGreaterThan(1)
  const kept = await selectRows<{ open_id: string }>(db, 'SELECT open_id FROM wx_save_form_id')
  const secrets = [
    APP_SECRET,
    OTHER_SECRET,
    API_KEY,
    SESSION_SECRET,
    SESSION_KEY,
    ...CODES,
    session.token,
    'TOKEN_in_a_query',
    DATABASE_PASSWORD,
    encodeURIComponent(DATABASE_PASSWORD),
    ...tokens,
    ...kept.map(({ open_id }) => open_id),
    ...[3, 9, 10, REFUSED_UPLOAD].map(openId),
  ]
  const found = outputs.flatMap(({ of, text }) =>
    text
      .split('\n')
      .flatMap((row) =>
        secrets
          .filter((secret) => row.includes(secret))
          .map((secret) => `${of}: ${secret} in ${row.slice(0, 400)}`),
      ),
  )
  expect(found.join('\n')).toBe('')
  // The lines are there, and tell of what happened: silence would be no proof.
  const text = outputs.map((output) => output.text).join('')
  for (const said of [
    'http.failed',
    'refused_upload',
    'session.opened',
    'session.refused',
    'code been used',
    'message.attempted',
    'token.refresh_failed',
    'The database does not answer',
  ])
    expect(text).toContain(said)
  expect(text).toContain(`${openId(1).slice(0, 4)}…`)
})
