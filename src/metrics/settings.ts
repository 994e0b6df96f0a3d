import type { Account } from '../account.js'
import type { Instruments } from './instruments.js'

/** Shows the version. Returns what shows what alerts have to know of the settings of an account. */
export function createSettingsMetrics(instruments: Instruments, version: string): (account: Account) => void {
  instruments
    .gauge('build_info', 'Always 1; the labels say which version of the service and of Node runs here.', [
      'version',
      'node_version',
    ])
    .set({ version, node_version: process.version }, 1)
  const reminders = instruments.gauge(
    'reminders_enabled',
    'Whether a template is set, so that users are reminded: 1 or 0.',
    ['app_id'],
  )
  const callbacks = instruments.gauge(
    'callbacks_enabled',
    "Whether WeChat's events are accepted (WX_CALLBACK_TOKEN): 1 or 0.",
    ['app_id'],
  )
  return ({ appId: app_id, templateId, callback }) => {
    reminders.set({ app_id }, templateId === '' ? 0 : 1)
    callbacks.set({ app_id }, callback.token === '' ? 0 : 1)
  }
}
