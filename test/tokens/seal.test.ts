import { beforeEach, describe, expect, test } from 'vitest'
import { execute, selectRows } from '../../src/db/sql.js'
import { createSeal } from '../../src/tokens/seal.js'
import { createSealedStore } from '../../src/tokens/sealed-store.js'
import { createSharedToken } from '../../src/tokens/shared-token.js'
import { createTableStore } from '../../src/tokens/table-store.js'
import { dialects, useDatabase } from '../helpers/database.js'
import { fetched, recordingLogger, type TokenEndpoint, tokenEndpoint } from '../helpers/tokens.js'

const [OLD, NEW] = ['elder-'.repeat(7), 'newer-'.repeat(7)]
const LONG = 'x'.repeat(512)

describe('a seal', () => {
  test('opens what it sealed, and shows nothing of it', () => {
    const seal = createSeal([NEW], 'wx1')
    const sealed = seal.seal(LONG)
    expect(seal.open(sealed)).toBe(LONG)
    expect(sealed).not.toContain('xxx')
    expect(sealed.length).toBeLessThanOrEqual(1_024)
    expect(seal.seal(LONG)).not.toBe(sealed)
  })

  test('opens nothing that was changed, cut, of another account or of another key', () => {
    const seal = createSeal([NEW], 'wx1')
    const sealed = seal.seal('a token')
    const [format, id, body = ''] = sealed.split('.')
    for (let i = 0; i < body.length; i++) {
      const other = body[i] === 'A' ? 'B' : 'A'
      const changed = [format, id, body.slice(0, i) + other + body.slice(i + 1)].join('.')
      // The last character of base64 may stand for the same bytes.
      expect([undefined, ...(i === body.length - 1 ? ['a token'] : [])]).toContain(seal.open(changed))
    }
    expect(seal.open(sealed.slice(0, 30))).toBeUndefined()
    expect(createSeal([NEW], 'wx2').open(sealed)).toBeUndefined()
    expect(createSeal([OLD], 'wx1').open(sealed)).toBeUndefined()
    expect(createSeal([], 'wx1').open(sealed)).toBeUndefined()
  })

  test('opens by an older key what the newest one seals from now on', () => {
    const sealed = createSeal([OLD], 'wx1').seal('a token')
    const both = createSeal([NEW, OLD], 'wx1')
    expect(both.open(sealed)).toBe('a token')
    expect(both.isCurrent(sealed)).toBe(false)
    expect(both.isCurrent(both.seal('a token'))).toBe(true)
    expect(createSeal([NEW], 'wx1').open(both.seal('a token'))).toBe('a token')
  })
})

describe.each(dialects)('the stored token with a TOKEN_KEY on %s', (dialect) => {
  const { db } = useDatabase(dialect)
  let wechat: TokenEndpoint
  let log: ReturnType<typeof recordingLogger>
  beforeEach(() => {
    wechat = tokenEndpoint()
    log = recordingLogger()
  })

  const process = (tokenKeys: string[], appId = 'wx1') =>
    createSharedToken({
      store: createSealedStore(createTableStore(db, appId), createSeal(tokenKeys, appId), { appId, log }),
      appId,
      fetchToken: wechat.fetch,
      owner: `process-${Math.random()}`,
      now: () => 1_000_000,
      logger: log,
    })
  const stored = async (appId = 'wx1') =>
    (
      await selectRows<{ token: string }>(db, 'SELECT token FROM wx_access_token WHERE app_id = ?', [appId])
    )[0]?.token ?? ''

  test('is sealed in the row, and the same in every process', async () => {
    wechat.next(fetched(LONG))
    expect(await process([NEW]).get()).toBe(LONG)
    expect(await stored()).toMatch(/^sealed1\.[\w-]{8}\.[\w-]+$/)
    expect(await process([NEW]).get()).toBe(LONG)
    expect(wechat.calls).toBe(1)
  })

  test('that was stored before there was a key is sealed as soon as it is read', async () => {
    await process([]).get()
    expect(await stored()).toBe('token-1')
    expect(await process([NEW]).get()).toBe('token-1')
    expect(await stored()).toMatch(/^sealed1\./)
    expect(wechat.calls).toBe(1)
  })

  test('moves from the old key to the new one without another fetch', async () => {
    await process([OLD]).get()
    const before = await stored()
    expect(await process([NEW, OLD]).get()).toBe('token-1')
    expect(await stored()).not.toBe(before)
    expect(await process([NEW]).get()).toBe('token-1')
    expect(wechat.calls).toBe(1)
    expect(log.events()).toEqual(['token.refreshed'])
  })

  test.each([
    ['whose key was lost', [NEW]],
    ['whose key was taken away', []],
  ])('%s is fetched anew, and the log says why', async (_, keys) => {
    await process([OLD]).get()
    expect(await process(keys).get()).toBe('token-2')
    expect(log.events()).toEqual(['token.refreshed', 'token.cannot_be_opened', 'token.refreshed'])
    expect(await process(keys).get()).toBe('token-2')
    expect(JSON.stringify(log.lines)).not.toMatch(/sealed1|token-\d|elder|newer/)
  })

  test.each([
    ['sealed', [NEW]],
    ['as it is', []],
  ])('%s that a DBA has emptied is fetched anew', async (_, keys) => {
    await process(keys).get()
    await execute(db, "UPDATE wx_access_token SET token = ''")
    expect(await process(keys).get()).toBe('token-2')
    expect(await process(keys).get()).toBe('token-2')
    expect(log.events()).toEqual(['token.refreshed', 'token.refreshed'])
  })

  test('of another account, put in its place by hand, is not used', async () => {
    await process([NEW], 'wx1').get()
    await process([NEW], 'wx2').get()
    await execute(db, "UPDATE wx_access_token SET token = ? WHERE app_id = 'wx1'", [await stored('wx2')])
    expect(await process([NEW], 'wx1').get()).toBe('token-3')
  })
})
