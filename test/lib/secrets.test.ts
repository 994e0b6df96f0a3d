import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readAccount, readConfig } from '../../src/config/read.js'
import { refuseWeak } from '../../src/lib/secrets.js'

const root = new URL('../../', import.meta.url)
const pages = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(new URL('docs/', root))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

/** What the pages give as the value of a secret. */
const samples = pages.flatMap((page) => {
  const text = readFileSync(new URL(page, root), 'utf8')
  return [
    ...text.matchAll(/^(?:export )?(API_KEYS|SESSION_SECRET|WX_CALLBACK_TOKEN|WX_ENCODING_AES_KEY)=(\S+)/gm),
  ].map(([, name = '', value = '']) => ({ page, name, value }))
})

test('there are samples in the documents', () => {
  expect(new Set(samples.map(({ name }) => name)).size).toBe(4)
})

test.each(samples)('the sample of $name in $page is refused, and not repeated', ({ name, value }) => {
  const start = () => {
    readConfig({ [name]: value })
    readAccount({ WX_APP_ID: 'wxA', [name]: value })
  }
  expect(start).toThrow(name)
  expect(start).toThrow(/sample from the public documentation; .*(openssl rand|console)/)
  expect(start).not.toThrow(value)
})

test.each([
  ['too short', 'fifteen-letters', /at least 16 characters; make one with "openssl rand -hex 32"/],
  ['a few characters again and again', 'abcd'.repeat(16), /repeats/],
])('a secret is weak that is %s', (_, secret, message) => {
  expect(() => refuseWeak(secret, 16)).toThrow(message)
})

test('what openssl makes is strong', () => {
  expect(() => refuseWeak('0f1e2d3c4b5a69788796a5b4c3d2e1f0', 16)).not.toThrow()
})
