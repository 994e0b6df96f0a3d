import { createReminderClient } from './client.js'

/** The client of these examples: of SERVICE_URL, or of the demo, with the key in BACKEND_KEY. */
export function clientFromEnvironment() {
  const { SERVICE_URL = 'http://127.0.0.1:3000', BACKEND_KEY: apiKey } = process.env
  if (!apiKey) throw new Error('Set BACKEND_KEY to an API key of the service; the demo prints one')
  return createReminderClient({ baseUrl: SERVICE_URL, apiKey })
}
