/** Lists the messages that used up their attempts, and queues each again: npx tsx requeue-dead-letters.ts */
import { ReminderError } from './errors.js'
import { clientFromEnvironment } from './from-environment.js'

const client = clientFromEnvironment()

let before: string | null = null
do {
  const page: Awaited<ReturnType<typeof client.listMessages>> = await client.listMessages({
    state: 'dead',
    ...(before === null ? {} : { before }),
  })
  for (const { id, user_id, meaning } of page.items) {
    console.log(`message ${id} to user ${user_id}: ${meaning}`)
    console.log(await queueAgain(id))
  }
  before = page.next
} while (before !== null)

/** A user may have no permit left, or may have opted out: that is one message's trouble, not that of the others. */
async function queueAgain(id: number): Promise<string> {
  try {
    const { state, not_after_at } = await client.requeueMessage(id)
    return `  ${state}, to be sent before ${not_after_at}`
  } catch (error) {
    if (!(error instanceof ReminderError) || error.status !== 409) throw error
    return `  left as it is: ${error.code}: ${error.message}`
  }
}
