import { readConfig } from '../../src/config/read.js'
import { startService } from '../../src/service.js'
import { config } from '../rig/candidate.js'
import { benchAccount } from './account.js'

/** This service with its HTTP, its schedule off: authentication, validation, log, group commit. Tells its address. */
const { databaseUrl, apiKey, adminPassword } = config<{
  databaseUrl: string
  apiKey: string
  /** Of the dashboard, where pages are asked for. */
  adminPassword?: string
}>()
const settings = readConfig({
  DATABASE_URL: databaseUrl,
  PORT: '0',
  API_KEYS: `bench:${apiKey}`,
  LOG_LEVEL: 'warn',
  ADMIN_PASSWORD: adminPassword,
})
const service = await startService(settings, { accounts: [benchAccount()] }, { migrate: true })
process.stdout.write(`${service.url}\n`)
