import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Account } from '../account.js'
import type { Channel } from '../channel.js'
import { type Environment, readAccount, readConfig } from '../config/read.js'
import {
  DEMO_ACCOUNT,
  DEMO_OFFICIAL_ACCOUNT,
  DEMO_OFFICIAL_TEMPLATE_ID,
  DEMO_PAGE,
  DEMO_PRIZE_TEMPLATE_ID,
  DEMO_SUBSCRIBE_ACCOUNT,
  DEMO_SUBSCRIBE_TEMPLATE_ID,
  DEMO_TEMPLATE_ID,
} from '../sandbox/accounts.js'
import type { Sandbox } from '../sandbox/sandbox.js'
import { type Service, startService } from '../service.js'
import type { Backend } from './client.js'
import { type SampleDay, sampleOpenId, sampleWeek } from './sample.js'

/** One of the demo's mini-programs: its account, its users' week, and a service with a database of its own. */
export interface DemoApp {
  account: Account
  days: SampleDay[]
  users: number
  backend: Backend
  service: Service
  databaseFile: string
}

interface AppSample {
  env: Environment
  users: number
  openIdPrefix: string
  seed: number
}

/** An inherited mini-program, one of today, and a service account. */
const SAMPLES: Record<Channel, AppSample> = {
  form_id: {
    env: {
      WX_APP_ID: DEMO_ACCOUNT.appId,
      WX_APP_SECRET: DEMO_ACCOUNT.secret,
      REMINDER_TEMPLATE_ID: DEMO_TEMPLATE_ID,
      REMINDER_PAGE: DEMO_PAGE,
      REMINDER_DATA: JSON.stringify({
        keyword1: '日领积分',
        keyword2: [{ min_streak: 2, text: '已经连续答题{streak}天' }, { text: '今天开始答题吧' }],
        keyword4: '{date} {weekday}',
      }),
    },
    users: 200,
    openIdPrefix: 'oDemo',
    seed: 20_261_120,
  },
  subscribe: {
    env: {
      WX_APP_ID: DEMO_SUBSCRIBE_ACCOUNT.appId,
      WX_APP_SECRET: DEMO_SUBSCRIBE_ACCOUNT.secret,
      WX_CHANNEL: 'subscribe',
      REMINDER_TEMPLATE_ID: DEMO_SUBSCRIBE_TEMPLATE_ID,
      TEMPLATES: DEMO_PRIZE_TEMPLATE_ID,
      REMINDER_PAGE: DEMO_PAGE,
      REMINDER_DATA: JSON.stringify({
        thing1: '每日签到',
        thing2: [{ min_streak: 2, text: '已连续签到{streak}天，别断了' }, { text: '今天开始签到吧' }],
        date3: '{date}',
      }),
    },
    users: 90,
    openIdPrefix: 'oSubs',
    seed: 20_261_121,
  },
  official: {
    env: {
      WX_APP_ID: DEMO_OFFICIAL_ACCOUNT.appId,
      WX_APP_SECRET: DEMO_OFFICIAL_ACCOUNT.secret,
      WX_CHANNEL: 'official',
      REMINDER_TEMPLATE_ID: DEMO_OFFICIAL_TEMPLATE_ID,
      REMINDER_URL: 'https://example.com/sign-in',
      REMINDER_MINIPROGRAM: JSON.stringify({ appid: DEMO_SUBSCRIBE_ACCOUNT.appId, pagepath: DEMO_PAGE }),
      REMINDER_DATA: JSON.stringify({
        thing1: '每日签到',
        thing2: [{ min_streak: 2, text: '已连续签到{streak}天，别断了' }, { text: '今天开始签到吧' }],
        date3: '{date}',
      }),
    },
    users: 120,
    openIdPrefix: 'oFans',
    seed: 20_261_122,
  },
}

export function openIdOf(channel: Channel, userId: number): string {
  return sampleOpenId(SAMPLES[channel].openIdPrefix, userId)
}

/** What the apps of a demo share. */
export interface DemoStage {
  folder: string
  sandbox: Sandbox
  /** Where the services tell what became of the messages of the demo's backend. */
  webhook: { url: string; secret: string }
  apiKey: string
  adminPassword: string
  now(): number
}

export async function startApp(stage: DemoStage, channel: Channel, port: number): Promise<DemoApp> {
  const { sandbox, apiKey } = stage
  const { env, ...sample } = SAMPLES[channel]
  const callback = {
    token: randomBytes(16).toString('hex'),
    encodingAesKey: randomBytes(33).toString('base64').replaceAll(/[+/=]/g, 'A').slice(0, 43),
  }
  const databaseFile = join(stage.folder, `${channel}.db`)
  const account = readAccount({
    ...env,
    WX_CALLBACK_TOKEN: callback.token,
    WX_ENCODING_AES_KEY: callback.encodingAesKey,
    WEBHOOK_URL: stage.webhook.url,
    WEBHOOK_SECRET: stage.webhook.secret,
  })
  const config = readConfig({
    DATABASE_URL: `sqlite:${databaseFile}`,
    WX_API_BASE_URL: sandbox.url,
    API_KEYS: `demo:${apiKey}`,
    ADMIN_PASSWORD: stage.adminPassword,
    SESSION_SECRET: randomBytes(32).toString('hex'),
    // A line for each event and run of a week would bury what the demo prints.
    LOG_LEVEL: 'warn',
    PORT: String(port),
  })
  const service = await startService(config, { accounts: [account] }, { migrate: true, now: stage.now })
  const url = `${service.url}/wechat/callback`
  sandbox.control.configureCallback({
    appId: account.appId,
    auto: false,
    ...callback,
    url,
    mode: 'safe',
    format: 'json',
  })
  return {
    account,
    days: sampleWeek(sample),
    users: sample.users,
    backend: { url: service.url, apiKey },
    service,
    databaseFile,
  }
}
