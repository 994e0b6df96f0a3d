import { readFileSync } from 'node:fs'
import { ConfigError } from '../errors.js'
import { messageOf } from '../lib/message-of.js'

export type Environment = Record<string, string | undefined>

/** Settings that hold a secret: each may stand in a file instead, which NAME_FILE names. */
const SECRETS = [
  'DATABASE_URL',
  'REDIS_URL',
  'WX_APP_SECRET',
  'WX_CALLBACK_TOKEN',
  'WX_ENCODING_AES_KEY',
  'API_KEYS',
  'SESSION_SECRET',
  'TOKEN_KEY',
  'ADMIN_PASSWORD',
  'METRICS_TOKEN',
  'WEBHOOK_SECRET',
] as const

/**
 * The environment with the secrets that stand in files, as a container's secrets do: readable by the service alone, and
 * not in a listing of the environment; the names of the files are left out. The line break at the end of a file does not belong to it. Throws ConfigError
 * with every file that cannot be read, and every secret that is given in both ways.
 */
export function withSecretFiles(env: Environment): Environment {
  const given = { ...env }
  const faults: string[] = []
  for (const name of SECRETS) {
    const file = env[`${name}_FILE`]
    delete given[`${name}_FILE`]
    if (!file) continue
    if (env[name]) faults.push(`${name}: is set, and ${name}_FILE too: leave one of them out`)
    else
      try {
        given[name] = readSecretFile(file)
      } catch (error) {
        faults.push(`${name}_FILE: ${messageOf(error)}`)
      }
  }
  if (faults.length > 0) throw new ConfigError(faults)
  return given
}

/** The text of a file without the line break at its end. */
export function readSecretFile(path: string): string {
  return readFileSync(path, 'utf8').replace(/\r?\n$/, '')
}
