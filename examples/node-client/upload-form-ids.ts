/** Passes on form_ids as the mini-program gave them: npx tsx upload-form-ids.ts OPEN_ID USER_ID FORM_ID … */
import { clientFromEnvironment } from './from-environment.js'

const [open_id = 'oDemo1', user_id = '9001', ...formIds] = process.argv.slice(2)
const client = clientFromEnvironment()

// The developer tools give this text in place of a form_id. Pass it on: the service says why it takes none.
const items = [...formIds, 'the formId is a mock one'].map((form_id) => ({ open_id, user_id, form_id }))
const { accepted, duplicates, results } = await client.uploadFormIds({ items })

console.log(`${accepted} stored, ${duplicates} were there before`)
for (const { form_id, reason, error } of results) {
  if (reason !== undefined) console.log(`refused: ${form_id}: ${error?.message ?? reason}`)
}
