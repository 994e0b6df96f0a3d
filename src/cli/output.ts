import { SingleBar } from 'cli-progress'
import { whyUnavailable } from '../db/errors.js'
import { ConfigError, ServiceError } from '../errors.js'
import { messageOf } from '../lib/message-of.js'
import { redact } from '../lib/redact.js'
import { toJson } from '../lib/user-id.js'
import type { Streams } from './command.js'

/** Prints a command's answer on stdout: one JSON object with --json, otherwise lines for a person. */
export function print({ stdout }: Streams, json: boolean, answer: object, lines: string[]): void {
  stdout.write(json ? `${toJson(answer)}\n` : `${lines.join('\n')}\n`)
}

/** Prints to stderr which database a command works on: stdout belongs to its answer. */
export function printDatabase({ stderr }: Streams, name: string): void {
  stderr.write(`Database: ${name}\n`)
}

/**
 * Prints an error: words on stderr, and with --json an object on stdout, so that a program always has one to read.
 */
export function printError({ stdout, stderr }: Streams, json: boolean, error: unknown): void {
  const { code, message } = describeError(error)
  if (json) stdout.write(`${JSON.stringify({ error: { code, message } })}\n`)
  stderr.write(`${message}\n`)
}

/** A driver's message may quote values, so it is redacted like a log line. */
function describeError(error: unknown): { code: string; message: string } {
  if (error instanceof ServiceError || error instanceof ConfigError) return error
  const why = whyUnavailable(error)
  if (why) {
    const { code = 'timeout' } = error as Error & { code?: string }
    return {
      code: 'not_ready',
      message: `The database ${why} (${code}). Check DATABASE_URL and that it is running.`,
    }
  }
  return { code: 'internal', message: redact(messageOf(error)) }
}

export interface Progress {
  update(done: number): void
  stop(): void
}

/**
 * A progress bar on a terminal, nothing elsewhere. `total` is called only if there is a terminal. Without `total`, a
 * plain count is shown: the total would take a count of the whole table.
 */
export async function startProgress(
  { stderr }: Streams,
  label: string,
  total?: () => Promise<number>,
): Promise<Progress> {
  if (!stderr.isTTY) return { update: () => {}, stop: () => {} }
  const format = total ? `${label} {bar} {value}/{total} {eta_formatted}` : `${label} {value}`
  const bar = new SingleBar({ format, hideCursor: true })
  bar.start(total ? await total() : 0, 0)
  return {
    update(done) {
      bar.update(done)
    },
    stop() {
      bar.stop()
    },
  }
}
