import { readConfig } from '../../src/config/read.js'
import { startService } from '../../src/service.js'
import { config } from '../rig/process.js'
import { benchAccount } from './account.js'

/** This service with its HTTP, its schedule off: authentication, validation, log, group commit. Tells its address. */
const { databaseUrl, apiKey } = config<{ databaseUrl: string; apiKey: string }>()
const settings = readConfig({
  DATABASE_URL: databaseUrl,
  PORT: '0',
  API_KEYS: `bench:${apiKey}`,
  LOG_LEVEL: 'warn',
})
const service = await startService(settings, benchAccount(), { migrate: true })
process.stdout.write(`${service.url}\n`)
