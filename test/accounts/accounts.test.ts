import { expect, test } from 'vitest'
import { createAccounts } from '../../src/accounts.js'
import { readAccount } from '../../src/config/read.js'

const [one, two] = ['wx1', 'wx2'].map((WX_APP_ID) => readAccount({ WX_APP_ID }))

test('the only account need not be named', () => {
  const accounts = createAccounts(one ? [one] : [])
  expect(accounts.of(undefined)).toBe(one)
  expect(accounts.of('wx1')).toBe(one)
})

test('one of several accounts has to be named', () => {
  const accounts = createAccounts([one, two].flatMap((account) => account ?? []))
  expect(accounts.of('wx2')).toBe(two)
  expect(() => accounts.of(undefined)).toThrow(
    expect.objectContaining({ code: 'invalid_request', details: { field: 'app_id' } }),
  )
})

test('an account that is not served here is said to be unknown', () => {
  const accounts = createAccounts(one ? [one] : [])
  expect(() => accounts.of('wx3')).toThrow(expect.objectContaining({ code: 'unknown_account', status: 404 }))
})
