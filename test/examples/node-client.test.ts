import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import openapiTS, { astToString } from 'openapi-typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DEMO_ACCOUNT, DEMO_PAGE, DEMO_TEMPLATE_ID } from '../../src/sandbox/accounts.js'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.js'
import { HOUR_MS, MINUTE_MS, SEND_PATH } from '../helpers/constants.js'
import { API_KEY, startTestService, type TestService } from '../helpers/service.js'

const CLIENT = 'examples/node-client'
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const NOON = Date.parse('2026-11-21T12:00:00+08:00')

let now = NOON
let service: TestService
let wechat: Sandbox
beforeAll(async () => {
  wechat = await startSandbox({ now: () => now, accounts: [DEMO_ACCOUNT] })
  service = await startTestService('sqlite', {
    env: {
      WX_API_BASE_URL: wechat.url,
      WX_APP_ID: DEMO_ACCOUNT.appId,
      WX_APP_SECRET: DEMO_ACCOUNT.secret,
      REMINDER_TEMPLATE_ID: DEMO_TEMPLATE_ID,
      REMINDER_PAGE: DEMO_PAGE,
      REMINDER_DATA: JSON.stringify({ keyword1: '日领积分', keyword2: '{streak}天', keyword4: '{date}' }),
    },
    now: () => now,
  })
})
afterAll(async () => {
  await service.close()
  await wechat.close()
})

const formIdOf = (openId: string) => wechat.control.issueFormId({ openId })
const givePermit = (open_id: string, user_id: number) =>
  service.post('/v1/form-ids', { open_id, user_id, form_id: formIdOf(open_id) })

/** Runs an example as its page says, and answers the lines that it prints. */
async function run(file: string, args: string[] = []): Promise<{ code: number | null; lines: string[] }> {
  const child = spawn(
    process.execPath,
    ['--import', '@oxc-node/core/register', `${CLIENT}/${file}`, ...args],
    {
      cwd: ROOT,
      env: {
        ...process.env,
        SERVICE_URL: service.url,
        BACKEND_KEY: API_KEY,
        TEMPLATE_ID: DEMO_TEMPLATE_ID,
      },
    },
  )
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  const code = await new Promise<number | null>((resolve, reject) =>
    child.on('error', reject).on('close', resolve),
  )
  return { code, lines: output.trim().split('\n') }
}

test('the types of the client are those of the API description', async () => {
  const description = (await service.request('GET', '/openapi.json')).text
  const types = astToString(await openapiTS(description))
  await expect(types).toMatchFileSnapshot(`../../${CLIENT}/api.d.ts`)
})

test('its package asks for the version of openapi-fetch that the tests use', () => {
  const read = (path: string) => JSON.parse(readFileSync(`${ROOT}${path}`, 'utf8'))
  const version = read('package.json').devDependencies['openapi-fetch']
  expect(read(`${CLIENT}/package.json`).dependencies).toEqual({ 'openapi-fetch': version })
})

describe('the examples of the client run against the service', { tags: ['programs'] }, () => {
  test('upload form_ids, and say why one is refused', async () => {
    const formIds = [formIdOf('oNode1'), formIdOf('oNode1')]
    expect(await run('upload-form-ids.ts', ['oNode1', '1', ...formIds])).toEqual({
      code: 0,
      lines: ['2 stored, 0 were there before', 'refused: the formId is a mock one: mock'],
    })
    const again = await run('upload-form-ids.ts', ['oNode1', '1', ...formIds])
    expect(again.lines[0]).toBe('0 stored, 2 were there before')
  })

  test('record a sign-in, and show the fault of one that is refused', async () => {
    await givePermit('oNode2', 2)
    expect(await run('record-sign-in.ts', ['2', '2026-11-20'])).toMatchObject({ code: 0 })
    expect(await run('record-sign-in.ts', ['2'])).toEqual({
      code: 0,
      lines: ['2026-11-21: signed in on 2 days in a row'],
    })
    const refused = await run('record-sign-in.ts', ['2', '2026-11-22'])
    expect(refused.code).toBe(1)
    expect(refused.lines[0]).toMatch(/^not recorded: date: .* \(field date, request [0-9a-f]{32}\)$/)
  })

  test('explain a user', async () => {
    await givePermit('oNode3', 3)
    await service.post('/v1/sign-ins', { user_id: 3 })
    const { code, lines } = await run('explain-user.ts', ['3'])
    expect(code).toBe(0)
    expect(lines[0]).toMatch(/^The user .* 2026-11-21.* signed in/)
    expect(lines).toContainEqual(expect.stringMatching(/^- not_signed_in: /))
  })

  test('send messages and wait for their end', async () => {
    await givePermit('oNode4', 4)
    const { code, lines } = await run('send-messages.ts', ['4', '5', 'six'])
    expect({ code, lines }).toEqual({
      code: 0,
      lines: [
        expect.stringMatching(/^user six: not taken: items\.2\.user_id: /),
        'user 4: delivered: WeChat accepted it.',
        expect.stringMatching(/^user 5: no_permit: /),
      ],
    })
    expect(wechat.control.ledger().filter(({ open_id }) => open_id === 'oNode4')).toHaveLength(1)
  })

  test('list dead letters and queue them again', async () => {
    await makeDeadLetters()
    wechat.control.clearFaults()
    const { code, lines } = await run('requeue-dead-letters.ts')
    expect(code).toBe(0)
    expect(lines).toEqual([
      expect.stringMatching(/^message \d+ to user 7: .*47003/),
      expect.stringMatching(/^ {2}left as it is: user_stopped: /),
      expect.stringMatching(/^message \d+ to user 6: .*47003/),
      expect.stringMatching(/^ {2}queued, to be sent before 2026-11-21T/),
    ])
    await service.of().submitted.workDue()
    expect(wechat.control.ledger().filter(({ open_id }) => open_id === 'oNode6')).toHaveLength(1)
  })
})

/** Messages to the users 6 and 7 that WeChat refuses until they are given up; user 7 opts out then. */
async function makeDeadLetters(): Promise<void> {
  for (const id of [6, 7]) for (let i = 0; i < 4; i++) await givePermit(`oNode${id}`, id)
  wechat.control.addFault({ kind: 'errcode', errcode: 47003, match: { path: SEND_PATH } })
  const data = { keyword1: '包裹', keyword2: '取件码', keyword4: '今天' }
  const items = [6, 7].map((user_id) => ({
    user_id,
    template_id: DEMO_TEMPLATE_ID,
    data,
    not_after: NOON + HOUR_MS,
  }))
  await service.post('/v1/messages', { items }, { 'idempotency-key': 'dead' })
  for (let i = 0; i < 3; i++) {
    await service.of().submitted.workDue()
    now += 2 * MINUTE_MS
  }
  await service.request('PUT', '/v1/users/7/opt-out', { headers: { authorization: `Bearer ${API_KEY}` } })
}
