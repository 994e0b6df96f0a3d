import type { Account } from '../account.js'
import { type Environment, readSettings } from '../config/read.js'
import type { AccountOptions } from '../sandbox/accounts.js'
import { readAccountsFile } from '../sandbox/accounts-file.js'

/** Those of the file; else the service's own, so that its settings can be tried as they are; else undefined. */
export function sandboxAccounts(file: string | undefined, env: Environment): AccountOptions[] | undefined {
  if (file !== undefined) return readAccountsFile(file)
  if (env.ACCOUNTS_FILE) return readSettings(env, 'any message').accounts.map(asInConsole)
  const { WX_APP_ID: appId, WX_APP_SECRET: secret } = env
  return appId && secret ? [{ appId, secret }] : undefined
}

/** Of the templates besides the reminder's only the ids are known, so that any data passes. */
function asInConsole({ appId, appSecret, channel, templateId, data, templates }: Account): AccountOptions {
  const others = templates.map((id) => [id, []] as const)
  const reminder = templateId === '' ? [] : [[templateId, Object.keys(data)] as const]
  return { appId, secret: appSecret, channel, templates: Object.fromEntries([...others, ...reminder]) }
}
