import { type Account, secretsOf } from '../../src/account.js'
import { readConfig } from '../../src/config/read.js'
import { openBase, openSending, type Sending } from '../../src/deps.js'
import { config } from '../rig/candidate.js'
import { benchAccount } from './account.js'

/** What sends for the bench's account, by the configuration of the candidate, with its access token at hand. */
export async function openBenchSending(): Promise<{ account: Account; sending: Sending }> {
  const { databaseUrl, stubUrl, concurrency } = config<{
    databaseUrl: string
    stubUrl: string
    concurrency: number
  }>()
  const account = { ...benchAccount(), sendConcurrency: concurrency }
  const settings = readConfig({ DATABASE_URL: databaseUrl, WX_API_BASE_URL: stubUrl, LOG_LEVEL: 'warn' })
  const sending = openSending(openBase(settings, secretsOf(account)), settings, account)
  await sending.getToken()
  return { account, sending }
}
