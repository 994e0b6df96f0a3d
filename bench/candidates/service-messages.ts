import { secretsOf } from '../../src/account.js'
import { readConfig } from '../../src/config/read.js'
import { openBase, openSending } from '../../src/deps.js'
import { sendSubmitted } from '../../src/submitted/worker.js'
import { config, finish, ready } from '../rig/process.js'
import { benchAccount } from './account.js'

/** The delivery of the submitted messages that are due, with everything that it does. */
const { databaseUrl, stubUrl, concurrency } = config<{
  databaseUrl: string
  stubUrl: string
  concurrency: number
}>()
const account = { ...benchAccount(), sendConcurrency: concurrency }
const settings = readConfig({
  DATABASE_URL: databaseUrl,
  WX_API_BASE_URL: stubUrl,
  LOG_LEVEL: 'warn',
})
const base = openBase(settings, secretsOf(account))
const sending = openSending(base, settings, account)
await sending.getToken()
await ready()
const startedAt = performance.now()
const { delivered } = await sendSubmitted(sending, account, new AbortController().signal)
finish({ done: delivered, seconds: (performance.now() - startedAt) / 1000 })
