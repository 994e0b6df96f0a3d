import { expect, onTestFinished, test } from 'vitest'
import { audit } from '../../src/operations/audit.js'
import { startCommand } from '../helpers/command-line.js'
import { DAY_MS, TEMPLATE_ID } from '../helpers/constants.js'
import { createTestDatabase, dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { addPermits } from '../helpers/rows.js'
import { API_KEY, SERVICE_ENV } from '../helpers/service.js'
import { refusedUrl } from '../helpers/wechat.js'

// @module-tag programs

const CASES = dialects.flatMap((dialect) => [
  { dialect, place: 'submit.in_transaction', stored: 0 },
  { dialect, place: 'submit.committed', stored: 1 },
])

test.each(CASES)(
  'a message whose process died at $place is queued once by the same request to another process, on $dialect',
  async ({ dialect, place, stored }) => {
    const { db, url, close } = await createTestDatabase(dialect)
    onTestFinished(close)
    const env = {
      ...SERVICE_ENV,
      DATABASE_URL: url,
      LOG_LEVEL: 'info',
      REMINDER_TEMPLATE_ID: TEMPLATE_ID,
      REMINDER_DATA: '{"keyword1":"x"}',
      WX_API_BASE_URL: await refusedUrl(),
    }
    const serve = async (failpoints = {}) => {
      const process = startCommand(['serve'], { ...env, ...failpoints })
      const address = await eventually('the start', () => /"url":"([^"]+)"/.exec(process.stderr)?.[1])
      return { process, address }
    }
    const [dies, lives] = await Promise.all([serve({ REMINDER_FAILPOINTS: `${place}=kill:1` }), serve()])
    const expire = Date.now() + 6 * DAY_MS
    await addPermits(db, [
      { user_id: 1, expire },
      { user_id: 1, expire },
    ])
    const not_before = Date.now() + DAY_MS
    const body = JSON.stringify({
      user_id: 1,
      template_id: TEMPLATE_ID,
      data: { keyword1: '包裹' },
      not_before,
    })
    const post = (address: string) =>
      fetch(`${address}/v1/messages`, {
        method: 'POST',
        body,
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${API_KEY}`,
          'idempotency-key': 'parcel-1',
        },
      })

    await expect(post(dies.address)).rejects.toThrow()
    expect((await dies.process.ended).signal).toBe('SIGKILL')
    expect(await db('wx_push_message')).toHaveLength(stored)
    const [id] = await db('wx_push_message').pluck('id')

    const again = await post(lives.address)
    const answer: unknown = await again.json()
    expect([again.status, answer]).toMatchObject([202, { id: id ?? expect.any(Number), state: 'queued' }])
    expect(await (await post(lives.address)).json()).toEqual(answer)
    expect(await db('wx_push_message')).toHaveLength(1)
    expect(await db('wx_save_form_id').where({ status: 1 })).toHaveLength(1)
    expect((await audit(db, Date.now(), false)).ok).toBe(true)
  },
)
