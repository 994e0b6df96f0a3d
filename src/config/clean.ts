import { cleanEnv, EnvMissingError } from 'envalid'
import { ConfigError } from '../errors.js'
import { messageOf } from '../lib/message-of.js'
import type { Environment } from './secret-files.js'

/** Reads the variables of a table of settings. Throws ConfigError with all faults at once. */
export function clean<Spec extends Parameters<typeof cleanEnv>[1]>(env: Environment, spec: Spec) {
  // A variable that is set to nothing, as in an unfilled .env file, counts as not set.
  const filled = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  return cleanEnv(filled, spec, {
    reporter: ({ errors }) => {
      const faults = Object.entries(errors).map(
        ([name, error]) => `${name}: ${error instanceof EnvMissingError ? 'is not set' : messageOf(error)}`,
      )
      if (faults.length > 0) throw new ConfigError(faults)
    },
  })
}
