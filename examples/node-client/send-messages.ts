/** Sends the same text to some users, and waits for what becomes of it: TEMPLATE_ID=… npx tsx send-messages.ts USER_ID … */
import { clientFromEnvironment } from './from-environment.js'
import { waitForEnd } from './wait-for-end.js'

const { TEMPLATE_ID: template_id } = process.env
if (!template_id) throw new Error('Set TEMPLATE_ID to the template of the reminder, or to one of TEMPLATES')
const userIds = process.argv.slice(2)
const client = clientFromEnvironment()

const data = { keyword1: '您的包裹已到驿站', keyword2: '取件码 8-2-1024', keyword4: '2026年11月21日' }
const items = userIds.map((user_id) => ({ user_id, template_id, data }))

// The results have the order of the items, each with an id or with an error.
const { results } = await client.submitMessages({ items })
const ids = results.flatMap((result, i) => {
  if ('id' in result) return [result.id]
  console.log(`user ${userIds[i]}: not taken: ${result.error.message}`)
  return []
})
for (const { user_id, state, meaning } of await waitForEnd(client, ids))
  console.log(`user ${user_id}: ${state}: ${meaning}`)
