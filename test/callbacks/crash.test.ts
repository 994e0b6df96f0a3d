import { expect, onTestFinished, test } from 'vitest'
import { audit } from '../../src/operations/audit.js'
import { startCommand } from '../helpers/command-line.js'
import { createTestDatabase, dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { compose, eventMessage, type Sender } from '../helpers/pushes.js'
import { SERVICE_ENV } from '../helpers/service.js'
import { refusedUrl } from '../helpers/wechat.js'

// @module-tag programs

const SENDER: Sender = {
  appId: SERVICE_ENV.WX_APP_ID,
  token: 'TokenOfTheTests2026',
  encodingAesKey: 'u8jzPde0IgxLd6GncfBAepfJBd0Kh8oOOL8dKLzdocJ',
  mode: 'safe',
  format: 'xml',
}
const EVENT = {
  name: 'subscribe_msg_popup_event',
  openId: 'oCrash',
  items: [{ TemplateId: 'template-1', SubscribeStatusString: 'accept', PopupScene: '0' }],
}

test.each(dialects)(
  'an event that a process died of is applied once by the next one, on %s',
  async (dialect) => {
    const { db, url, close } = await createTestDatabase(dialect)
    onTestFinished(close)
    const env = {
      ...SERVICE_ENV,
      DATABASE_URL: url,
      LOG_LEVEL: 'info',
      USER_IDS: 'auto',
      TEMPLATES: 'template-1',
      WX_API_BASE_URL: await refusedUrl(),
      WX_CALLBACK_TOKEN: SENDER.token,
      WX_ENCODING_AES_KEY: SENDER.encodingAesKey,
    }
    const first = startCommand(['serve'], { ...env, REMINDER_FAILPOINTS: 'callback.in_transaction=kill:1' })
    const address = await eventually('the start', () => /"url":"([^"]+)"/.exec(first.stderr)?.[1])
    const message = eventMessage(SENDER, { ...EVENT, at: Date.now() })
    const { query, body } = compose(SENDER, message, Date.now())
    // The answer may be lost with the process: it is the event that must not be.
    await fetch(`${address}/wechat/callback?${new URLSearchParams(query)}`, { method: 'POST', body }).catch(
      () => {},
    )
    expect((await first.ended).signal).toBe('SIGKILL')
    expect(await db('wx_callback_event')).toMatchObject([{ state: 'stored', outcome: null }])
    expect(await db('wx_save_form_id')).toEqual([])

    const second = startCommand(['serve'], env)
    await eventually('the permit', async () => (await db('wx_save_form_id')).length > 0)
    second.kill('SIGTERM')
    expect(await second.ended).toMatchObject({ code: 0 })
    expect(await db('wx_callback_event')).toMatchObject([{ state: 'done', outcome: 'granted' }])
    expect(await db('wx_save_form_id')).toHaveLength(1)
    expect((await audit(db, Date.now(), false)).ok).toBe(true)
  },
)
