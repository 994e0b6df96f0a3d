import type { FastifyRequest } from 'fastify'
import { describe, expect, test } from 'vitest'
import { createAccounts } from '../../src/accounts.js'
import { readAccount } from '../../src/config/read.js'
import { createAccountOf } from '../../src/http/account-of.js'
import type { Caller } from '../../src/http/callers.js'

const accounts = ['wx1', 'wx2', 'wx3'].map((WX_APP_ID) => readAccount({ WX_APP_ID }))
const accountOf = createAccountOf(createAccounts(accounts))

const backend = (appIds: string[] | 'all'): Caller => ({ kind: 'backend', name: 'shop', appIds })
const session: Caller = { kind: 'session', appId: 'wx2', openId: 'o', userId: 1 }

/** The app_id of the account that a call is about, or the code that it is refused with. */
function asked(caller: Caller, { query, body }: { query?: object; body?: unknown } = {}): string {
  try {
    return accountOf({ caller, query, body } as unknown as FastifyRequest).appId
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe('a key of every account', () => {
  test('names one in the address or in the body', () => {
    expect(asked(backend('all'), { query: { app_id: 'wx3' } })).toBe('wx3')
    expect(asked(backend('all'), { body: { app_id: 'wx1' } })).toBe('wx1')
    expect(asked(backend('all'), { query: { app_id: 'wx1' }, body: { app_id: 'wx1' } })).toBe('wx1')
  })

  test('is told if it names none, two, or one that is not served', () => {
    expect(asked(backend('all'))).toBe('invalid_request')
    expect(asked(backend('all'), { query: { app_id: 'wx1' }, body: { app_id: 'wx2' } })).toBe(
      'invalid_request',
    )
    expect(asked(backend('all'), { query: { app_id: 'wx9' } })).toBe('unknown_account')
  })
})

describe('a key bound to accounts', () => {
  test('may leave out the account if it has one', () => {
    expect(asked(backend(['wx2']))).toBe('wx2')
    expect(asked(backend(['wx1', 'wx2']))).toBe('invalid_request')
    expect(asked(backend(['wx1', 'wx2']), { query: { app_id: 'wx2' } })).toBe('wx2')
  })

  test('is forbidden every other, and not told whether that one is served', () => {
    for (const app_id of ['wx3', 'wx9']) {
      expect(asked(backend(['wx2']), { query: { app_id } })).toBe('forbidden')
      expect(asked(backend(['wx1', 'wx2']), { body: { app_id } })).toBe('forbidden')
    }
    expect(() => accountOf({ caller: backend(['wx2']), body: { app_id: 'wx3' } } as never)).toThrow(
      /"shop".*wx3/,
    )
  })
})

test('a session speaks for its own account alone', () => {
  expect(asked(session)).toBe('wx2')
  expect(asked(session, { body: { app_id: 'wx2' } })).toBe('wx2')
  expect(asked(session, { body: { app_id: 'wx1' } })).toBe('forbidden')
})

test('a list, as ?app_id=wx1&app_id=wx2 makes one, is refused', () => {
  expect(asked(backend('all'), { query: { app_id: ['wx1', 'wx2'] } })).toBe('invalid_request')
  expect(asked(backend(['wx2']), { query: { app_id: ['wx1', 'wx2'] } })).toBe('invalid_request')
})
