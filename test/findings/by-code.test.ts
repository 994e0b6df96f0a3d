import { expect, test } from 'vitest'
import { codesOf, findingOf, findingOfToken } from '../../src/findings/by-code.js'
import { type FindingName, KNOWN_ERRORS } from '../../src/findings/catalogue.js'
import {
  ERRCODES,
  errcodeOf,
  httpStatusEntry,
  tokenEndpointErrcodeOf,
  tokenStaysRefused,
} from '../../src/wechat/errcodes.js'
import { TokenError } from '../../src/wechat/token-error.js'

/** Answers to a login, to the addition of templates or to questions about quotas: none of them meets a message. */
const NOT_OF_MESSAGES = [0, 40029, 40163, 40226, 48006, 76004, 76021, 200012, 200022]

test('every code that a message can meet is a finding', () => {
  const without = ERRCODES.filter((entry) => findingOf(entry) === null).map(({ errcode }) => errcode)
  expect(without.sort((a, b) => a - b)).toEqual(NOT_OF_MESSAGES)
})

test('no code is two findings, and each is one that the table of errcodes has', () => {
  const names = Object.keys(KNOWN_ERRORS) as FindingName[]
  const codes = names.flatMap((name) => codesOf(name))
  expect(new Set(codes).size).toBe(codes.length)
  expect(codes.filter((code) => errcodeOf(code).name === 'unknown')).toEqual([])
})

test('a code that nobody knows is no finding', () => {
  expect(findingOf(errcodeOf(99_999))).toBeNull()
})

test.each([
  [429, 'wechat_busy'],
  [503, 'wechat_busy'],
  [404, 'network_not_wechat'],
  [302, 'network_not_wechat'],
])('HTTP %i that came in place of an answer is %s', (status, finding) => {
  const entry = httpStatusEntry(status)
  expect(entry && findingOf(entry)).toBe(finding)
})

test.each([
  [tokenEndpointErrcodeOf(40001), 'token_wrong_secret'],
  [tokenEndpointErrcodeOf(40125), 'token_wrong_secret'],
  [tokenEndpointErrcodeOf(40013), 'token_wrong_app_id'],
  [tokenEndpointErrcodeOf(40164), 'token_ip_not_allowed'],
  [tokenEndpointErrcodeOf(89503), 'token_ip_not_allowed'],
  [tokenStaysRefused(40001), 'token_foreign_refresher'],
  [tokenEndpointErrcodeOf(-1), 'token_not_had'],
  [tokenEndpointErrcodeOf(45009), 'quota_used_up'],
  [undefined, 'token_not_had'],
])('no token because of %o is %s', (entry, finding) => {
  expect(findingOfToken(new TokenError('none', entry))).toBe(finding)
})
