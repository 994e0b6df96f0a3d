import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { createSessionTokens, SESSION_LIFETIME_MS } from '../../src/users/session-token.js'
import { NOW } from '../helpers/constants.js'

const OLD = 'the-old-secret-of-32-characters-xx'
const NEW = 'the-new-secret-of-32-characters-xx'
const isServed = (appId: string) => appId === 'wxA'
const ALICE = { appId: 'wxA', openId: 'oA' }
const BOB = { appId: 'wxA', openId: 'oB' }
const tokens = createSessionTokens({ isServed, secrets: [NEW, OLD] })

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const hmac = (hash: string, text: string, secret: string) =>
  createHmac(hash, secret).update(text).digest('base64url')

/** A token made by hand, so that no library stands between the test and what is refused. */
function forge(options: { header?: object; claims?: object; secret?: string; hash?: string } = {}): string {
  const { header = {}, claims = {}, secret = NEW, hash = 'sha256' } = options
  const seconds = Math.floor(NOW / 1_000)
  const text = [
    encode({ alg: 'HS256', typ: 'JWT', ...header }),
    encode({ iss: 'sign-in-reminder', aud: 'wxA', sub: 'oA', iat: seconds, exp: seconds + 60, ...claims }),
  ].join('.')
  return `${text}.${hmac(hash, text, secret)}`
}

test('a token names its holder until it ends after seven days', async () => {
  const { token, expiresAt } = await tokens.issue(ALICE, NOW)
  expect(expiresAt).toBe(NOW + SESSION_LIFETIME_MS)
  expect((await tokens.issue(ALICE, NOW + 999)).expiresAt).toBe(expiresAt)
  expect(await tokens.verify(token, NOW)).toEqual(ALICE)
  expect(await tokens.verify(token, expiresAt - 1)).toEqual(ALICE)
  await expect(tokens.verify(token, expiresAt)).rejects.toMatchObject({
    code: 'unauthorized',
    message: expect.stringContaining('log in again'),
  })
})

test('a token says who, for which app and until when, and nothing else', async () => {
  const { token } = await tokens.issue(ALICE, NOW)
  const [header, claims] = token.split('.').map((part) => Buffer.from(part, 'base64url').toString())
  expect(JSON.parse(header ?? '')).toEqual({ alg: 'HS256', typ: 'JWT' })
  const seconds = Math.floor(NOW / 1_000)
  expect(JSON.parse(claims ?? '')).toEqual({
    iss: 'sign-in-reminder',
    aud: 'wxA',
    sub: 'oA',
    iat: seconds,
    exp: seconds + SESSION_LIFETIME_MS / 1_000,
  })
})

test('a token of the old secret is good as long as the secret is listed, and new ones are signed by the first', async () => {
  const { token: ofOld } = await createSessionTokens({ isServed, secrets: [OLD] }).issue(ALICE, NOW)
  expect(await tokens.verify(ofOld, NOW)).toEqual(ALICE)
  const { token: ofNew } = await tokens.issue(BOB, NOW)
  expect(await createSessionTokens({ isServed, secrets: [NEW] }).verify(ofNew, NOW)).toEqual(BOB)
  await expect(createSessionTokens({ isServed, secrets: [NEW] }).verify(ofOld, NOW)).rejects.toMatchObject({
    code: 'unauthorized',
  })
})

test('a token made by hand by the same rules is taken: the ones below are refused for what they change', async () => {
  expect(await tokens.verify(forge(), NOW)).toEqual(ALICE)
  expect(await tokens.verify(forge({ secret: OLD }), NOW)).toEqual(ALICE)
})

const { token: good } = await tokens.issue(ALICE, NOW)
const [goodHeader = '', goodClaims = '', goodSignature = ''] = good.split('.')

test.each([
  ['of another secret', forge({ secret: 'another-secret-of-32-characters-x' })],
  ['of an empty secret', forge({ secret: '' })],
  ['without a signature, alg none', `${encode({ alg: 'none' })}.${goodClaims}.`],
  [
    'alg none, with the old signature',
    `${encode({ alg: 'none', typ: 'JWT' })}.${goodClaims}.${goodSignature}`,
  ],
  ['alg None', `${encode({ alg: 'None' })}.${goodClaims}.`],
  ['without a signature', `${goodHeader}.${goodClaims}.`],
  ['signed with HS512', forge({ header: { alg: 'HS512' }, hash: 'sha512' })],
  ['with other claims under the old signature', `${goodHeader}.${encode({ sub: 'oB' })}.${goodSignature}`],
  ['of an app that is not served here', forge({ claims: { aud: 'wxB' } })],
  ['of no app', forge({ claims: { aud: undefined } })],
  ['of two apps', forge({ claims: { aud: ['wxA', 'wxB'] } })],
  ['of another issuer', forge({ claims: { iss: 'somebody' } })],
  ['of nobody', forge({ claims: { sub: undefined } })],
  ['for somebody who is no text', forge({ claims: { sub: 7 } })],
  ['without an end', forge({ claims: { exp: undefined } })],
  ['that ended', forge({ claims: { exp: Math.floor(NOW / 1_000) } })],
  ['that begins later', forge({ claims: { nbf: Math.floor(NOW / 1_000) + 60 } })],
  ['with an end in words', forge({ claims: { exp: 'never' } })],
  ['with a critical header of nobody', forge({ header: { crit: ['x'], x: 1 } })],
  ['that is no token', 'a.b.c'],
  ['that is empty', ''],
])('a token %s is refused', async (_, token) => {
  await expect(tokens.verify(token, NOW)).rejects.toMatchObject({
    name: 'ServiceError',
    code: 'unauthorized',
  })
})
