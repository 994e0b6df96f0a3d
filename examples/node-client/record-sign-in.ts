/** Records that a user signed in: npx tsx record-sign-in.ts USER_ID [YYYY-MM-DD] */
import { ReminderError } from './errors.js'
import { clientFromEnvironment } from './from-environment.js'

const [user_id = '9001', date] = process.argv.slice(2)
const client = clientFromEnvironment()

try {
  const signIn = await client.recordSignIn({ user_id, ...(date === undefined ? {} : { date }) })
  console.log(`${signIn.date}: signed in on ${signIn.streak} days in a row`)
} catch (error) {
  if (!(error instanceof ReminderError) || error.code !== 'invalid_request') throw error
  console.log(`not recorded: ${error.message} (field ${error.details.field}, request ${error.requestId})`)
  process.exitCode = 1
}
