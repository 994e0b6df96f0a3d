import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ERROR_STATUS } from '../../src/errors.js'
import { BATCH_BODY_BYTES, SMALL_BODY_BYTES } from '../../src/http/body-limits.js'
import { CONNECTION_LIMITS } from '../../src/http/connections.js'
import { ERROR_TABLE } from '../../src/http/error-table.js'
import { MAX_UNSPENT_PERMITS, REJECTION_REASONS } from '../../src/permits/accept.js'
import { MAX_UNSPENT_SUBSCRIPTIONS } from '../../src/permits/subscriptions.js'
import { startTestService, type TestService } from '../helpers/service.js'
import { all, codeIn, isChinese, languagesOf, PAGES, read, rowsOf, sorted, wordOf, wordsIn } from './pages.js'

const NOON = Date.parse('2026-11-21T12:00:00+08:00')

interface Operation {
  security?: Record<string, string[]>[]
  responses: Record<string, unknown>
}

let service: TestService
let operations: { call: string; who: string[]; operation: Operation }[]

beforeAll(async () => {
  const env = {
    SESSION_SECRET: 'c29tZXRoaW5nLXJhbmRvbS1mb3ItYS10ZXN0',
    WX_CHANNEL: 'subscribe',
    TEMPLATES: 'TEMPLATE-ID-OF-YOUR-ACCOUNT',
  }
  service = await startTestService('sqlite', { env, now: () => NOON })
  const { paths } = (await service.request('GET', '/openapi.json')).body as {
    paths: Record<string, Record<string, Operation>>
  }
  operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      call: `${method.toUpperCase()} ${path}`,
      who: sorted((operation.security ?? []).flatMap((scheme) => Object.keys(scheme))),
      operation,
    })),
  )
})
afterAll(() => service.close())

/** `GET, POST /wechat/callback` and `GET /docs, GET /openapi.json` as single calls. */
function callsIn(cell: string): string[] {
  const path = all(cell, /(\/\S+?)(?:,|$)/g).at(-1) ?? ''
  return cell.split(', ').map((part) => (part.includes('/') ? part : `${part} ${path}`))
}

const WHO: Record<string, string[]> = {
  both: ['apiKey', 'session'],
  两者: ['apiKey', 'session'],
  'API key': ['apiKey'],
  'API 密钥': ['apiKey'],
}

/** A cell without its marks and links. */
const plain = (cell = ''): string => cell.replaceAll('`', '').replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')

/** What the description leaves out: itself, and what WeChat alone calls. */
const HIDDEN = ['GET /docs', 'GET /openapi.json', 'GET /wechat/callback', 'POST /wechat/callback']

describe.each(languagesOf('docs/http.md'))('%s', (page) => {
  test('lists exactly the calls of the service', () => {
    const listed = rowsOf(page, 'call', '接口').flatMap(([call = '']) => callsIn(call))
    expect(listed.sort()).toEqual([...operations.map(({ call }) => call), ...HIDDEN].sort())
  })

  test('says who may make a call', () => {
    for (const [cell = '', who = ''] of rowsOf(page, 'call', '接口')) {
      for (const call of callsIn(cell).filter((one) => !HIDDEN.includes(one))) {
        expect(operations.find((one) => one.call === call)?.who, call).toEqual(WHO[who] ?? [])
      }
    }
  })

  test('says which calls need which scope', () => {
    const scopeOf = new Map(
      operations.map(({ call, operation }) => [
        call,
        operation.security?.flatMap(({ apiKey = [] }) => apiKey)[0],
      ]),
    )
    for (const [scope, , calls = ''] of rowsOf(page, 'scope', '权限')) {
      const others = [...scopeOf].filter(
        ([call, needed]) => needed === wordOf(scope) && !call.startsWith('GET'),
      )
      expect(all(calls, /((?:POST|PUT|DELETE) [^\s,、]+)/g).sort(), scope).toEqual(
        others.map(([call]) => call).sort(),
      )
    }
    for (const [call, needed] of scopeOf)
      if (call.startsWith('GET')) expect(needed ?? 'read', call).toBe('read')
  })

  test('lists exactly the error codes, each with its status', () => {
    const ofCalls = rowsOf(page, 'status', '状态').map(([status, code]) => [wordOf(code), Number(status)])
    const ofLogins = rowsOf(page, 'answer to POST /v1/sessions', 'POST /v1/sessions 的错误').map(
      ([answer = '']) => [wordsIn(answer)[0], Number.parseInt(answer, 10)],
    )
    expect(Object.fromEntries([...ofCalls, ...ofLogins])).toEqual(ERROR_STATUS)
  })

  test('says of each error code what the API description says', () => {
    const language = isChinese(page) ? 'zh' : 'en'
    const ofCalls = rowsOf(page, 'status', '状态').map(([, code, cell]) => [wordOf(code), cell] as const)
    const ofLogins = rowsOf(page, 'answer to POST /v1/sessions', 'POST /v1/sessions 的错误').map(
      ([answer = '', , cell]) => [wordsIn(answer)[0] ?? '', cell] as const,
    )
    // The calls come last: a login has its own reasons for too_many_requests.
    const cells = new Map([...ofLogins, ...ofCalls])
    for (const [code, { meaning }] of Object.entries(ERROR_TABLE))
      expect(plain(cells.get(code)), code).toContain(meaning[language])
  })

  test('lists exactly the reasons for which an upload is refused', () => {
    const reasons = rowsOf(page, 'reason of a form_id or prepay_id', 'form_id、prepay_id 的拒绝原因')
    expect(reasons.map(([reason]) => wordOf(reason)).sort()).toEqual([...REJECTION_REASONS].sort())
  })

  test('lists the reasons for which the report of a subscription is refused', async () => {
    const reasons = rowsOf(page, 'reason of a subscription', '订阅的拒绝原因').flatMap(([cell]) =>
      wordsIn(cell),
    )
    const results = ['reject', 'ban', 'filter', 'something new']
    const one = { open_id: 'oA', user_id: 1, template_id: 'TEMPLATE-ID-OF-YOUR-ACCOUNT' }
    const items = [
      ...results.map((result) => ({ ...one, result })),
      { ...one, template_id: 'T', result: 'accept' },
    ]
    const { body } = await service.post('/v1/subscriptions', { items })
    const answered = (body as { results: { reason: string }[] }).results.map(({ reason }) => reason)
    expect(answered).toHaveLength(5)
    expect(reasons).toEqual(expect.arrayContaining(answered))
  })

  test('lists exactly the reasons for asking and not asking', () => {
    const described = JSON.stringify(operations.find(({ call }) => call === 'GET /v1/permits')?.operation)
    const [inCode = ''] = all(described, /"reason":\{"type":"string","description":"([^"]*)"/g)
    const listed = rowsOf(page, 'ask').flatMap(([, cell]) => wordsIn(cell))
    expect(sorted(listed)).toEqual(sorted(all(inCode, /(\w+)/g)))
  })

  test('says the limits that there are', () => {
    const rowOf = (code: string) => rowsOf(page, 'status', '状态').find((row) => wordOf(row[1]) === code)?.[2]
    expect(rowOf('payload_too_large')).toContain(` ${SMALL_BODY_BYTES / 1024} KiB`)
    expect(rowOf('payload_too_large')).toContain(` ${BATCH_BODY_BYTES / 1024 ** 2} MiB`)
    expect(all(rowOf('request_timeout') ?? '', /(\d+)/g).map((seconds) => 1000 * Number(seconds))).toEqual([
      CONNECTION_LIMITS.requestMs,
      CONNECTION_LIMITS.headersMs,
    ])
    const tooMany = rowsOf(page, 'reason of a form_id or prepay_id', 'form_id、prepay_id 的拒绝原因').at(-1)
    expect(tooMany?.[1]).toContain(` ${MAX_UNSPENT_PERMITS} `)
    expect(read(page)).toContain(`${MAX_UNSPENT_SUBSCRIPTIONS} `)
  })

  test('shows examples that are answered like that', async () => {
    const examples = codeIn(read(page), 'sh').flatMap((block) => [
      ...block.matchAll(
        /^curl -X (\w+) http:\/\/127\.0\.0\.1:3000(\S+) [\s\S]*?-d '([^']*)'\n((?:#.*\n)+)/gm,
      ),
    ])
    expect(examples.length).toBeGreaterThan(3)
    await service.db('wx_save_form_id').delete()
    await service.db('wx_message_push_status').delete()
    for (const [, , path = '', body = '', answer = ''] of examples) {
      const { status, body: given } = await service.post(path, JSON.parse(body))
      expect(status, path).toBe(201)
      expect(given, path).toEqual(JSON.parse(answer.replace(/^#/gm, '')))
    }
  })
})

test.each(PAGES)('%s names calls of /v1 that there are', (page) => {
  const named = all(read(page), /((?:GET|POST|PUT|DELETE) \/v1\/[\w/{}-]+)/g)
  expect(operations.map(({ call }) => call)).toEqual(expect.arrayContaining(named))
})
