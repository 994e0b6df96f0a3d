import { pino } from 'pino'
import type { Instance } from './instance.js'
import { redact } from './redact.js'
import { userIdToJson } from './user-id.js'

type Fields = { event: string } & Record<string, unknown>

/** One event, one line: an event name and stable fields first, then a short text. */
export interface Logger {
  /** For lines that cost more to compose than to leave out. */
  isLevelEnabled(level: 'debug'): boolean
  debug(fields: Fields, text?: string): void
  info(fields: Fields, text?: string): void
  warn(fields: Fields, text?: string): void
  error(fields: Fields, text?: string): void
}

/**
 * Logs JSON lines, by default to stderr, because stdout belongs to a command's answer. Every line is redacted
 * as a whole, so that a secret is masked wherever it stands: in a URL, a field or the stack of an error. With an
 * instance, each line says which process wrote it.
 */
export function createLogger(options: {
  level: string
  secrets: Iterable<string>
  instance?: Instance
  output?: { write(line: string): unknown }
}): Logger {
  const { instance, output = process.stderr } = options
  return pino(
    {
      level: options.level,
      base: instance ? { instance: instance.id, pid: instance.pid, version: instance.version } : null,
      formatters: { level: (level) => ({ level }) },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: serializeError, user_id: userIdToJson },
    },
    { write: (line: string) => output.write(redact(line, options.secrets)) },
  )
}

/** The same log, in which each line says which account it is about. */
export function logOf(log: Logger, appId: string): Logger {
  const about = ({ event, ...fields }: Fields): Fields => ({ event, app_id: appId, ...fields })
  return {
    isLevelEnabled: (level) => log.isLevelEnabled(level),
    debug: (fields, text) => log.debug(about(fields), text),
    info: (fields, text) => log.info(about(fields), text),
    warn: (fields, text) => log.warn(about(fields), text),
    error: (fields, text) => log.error(about(fields), text),
  }
}

/** mysql2 puts the whole statement with its values on its errors: up to a thousand open_ids, or a token. */
function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { sql, ...rest } = pino.stdSerializers.err(error)
  return rest
}
