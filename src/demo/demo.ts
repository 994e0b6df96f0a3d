import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import type { Channel } from '../channel.js'
import { businessDate, timeOn } from '../lib/business-date.js'
import { DAY_MS, HOUR_MS } from '../lib/durations.js'
import { DEMO_ACCOUNT, DEMO_OFFICIAL_ACCOUNT, DEMO_SUBSCRIBE_ACCOUNT } from '../sandbox/accounts.js'
import { startSandbox } from '../sandbox/sandbox.js'
import { type DemoApp, type DemoStage, startApp } from './app.js'
import { compareBooks } from './books.js'
import { createClock } from './clock.js'
import { startReceiver } from './receiver.js'
import { SAMPLE_DAYS } from './sample.js'
import { opening, summary, whereToLook } from './summary.js'
import { emptyWeek, type Played, playDay } from './week.js'

/** The demo's "now" is today at the hour of the daily run, so that it tells the same story at any time of day. */
const RUN_HOUR = 10
const ZONE = 'Asia/Shanghai'
const ACCOUNTS = [DEMO_ACCOUNT, DEMO_SUBSCRIBE_ACCOUNT, DEMO_OFFICIAL_ACCOUNT]

export interface DemoOptions {
  /** Of the first service; the others follow. */
  port: number
  once: boolean
  /** The accounts that play, one of each channel. */
  channels: readonly Channel[]
}

export interface Demo {
  booksAgree: boolean
  stop(): Promise<void>
}

/**
 * The whole job on sample users of an account on each of these channels: fresh embedded databases in a folder of this
 * demo's own, a simulated WeChat, a week of uploads, follows and sign-ins over HTTP with the sweep and the daily run, by
 * the same functions that the schedule calls. Afterwards the services stay up until `stop`, unless `once` is set.
 */
export async function runDemo(options: DemoOptions): Promise<Demo> {
  const undo: (() => Promise<unknown>)[] = []
  async function stop(): Promise<void> {
    for (const release of undo.splice(0).reverse()) await release()
  }

  try {
    return { booksAgree: await play(options, undo), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function play(
  { port, once, channels }: DemoOptions,
  undo: (() => Promise<unknown>)[],
): Promise<boolean> {
  const say = (line: string): boolean => process.stdout.write(`${line}\n`)
  const clock = createClock()
  const runTime = timeOn(businessDate(Date.now(), ZONE), RUN_HOUR, 0, ZONE)
  clock.set(runTime - SAMPLE_DAYS * DAY_MS - HOUR_MS)

  await mkdir('data', { recursive: true, mode: 0o700 })
  const folder = await mkdtemp('data/demo-')
  undo.push(() => rm(folder, { recursive: true, force: true }))
  const sandbox = await startSandbox({ now: clock.now, accounts: ACCOUNTS })
  undo.push(sandbox.close)
  const secret = randomBytes(24).toString('hex')
  const receiver = await startReceiver(secret)
  undo.push(receiver.close)
  const stage: DemoStage = {
    folder,
    sandbox,
    webhook: { url: receiver.url, secret },
    apiKey: randomBytes(12).toString('hex'),
    adminPassword: randomBytes(6).toString('hex'),
    now: clock.now,
  }
  const apps: DemoApp[] = []
  for (const [i, channel] of channels.entries()) {
    const app = await startApp(stage, channel, once ? 0 : port + i)
    undo.push(app.service.stop)
    apps.push(app)
  }

  say(opening(apps))
  const played: Played[] = apps.map((app) => ({ app, week: emptyWeek() }))
  for (let day = 0; day <= SAMPLE_DAYS; day++)
    await playDay(played, day, { clock, runTime, wechat: sandbox.control })
  const books = await compareBooks(apps, sandbox.control, clock.now())
  for (const line of summary(played, books)) say(line)
  if (!once) {
    for (const { service } of apps) service.startSchedule()
    for (const line of whereToLook(apps, stage)) say(line)
  }
  return books.agree
}
