import { DEMO_APP_ID, DEMO_APP_SECRET, DEMO_PAGE, DEMO_TEMPLATE_ID } from '../../src/sandbox/accounts.js'

export { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/lib/durations.js'

/** The account that tests are about, as the sandbox knows it. */
export const APP_ID = DEMO_APP_ID
export const APP_SECRET = DEMO_APP_SECRET
export const TEMPLATE_ID = DEMO_TEMPLATE_ID
export const PAGE = DEMO_PAGE

/** Ten in the morning in Shanghai, a Friday: when the daily run starts. */
export const NOW = Date.parse('2026-11-20T10:00:00+08:00')
export const TODAY = 20_261_120

/** Where WeChat takes messages, by channel. */
export const SEND_PATH = '/cgi-bin/message/wxopen/template/send'
export const SUBSCRIBE_PATH = '/cgi-bin/message/subscribe/send'
export const OFFICIAL_PATH = '/cgi-bin/message/template/send'
