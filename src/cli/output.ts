import { SingleBar } from 'cli-progress'
import { isConnectionLost } from '../db/errors.js'
import { ConfigError, ServiceError } from '../errors.js'

/** A command's answer on stdout: one JSON object with --json, else lines for a person. */
export function print(json: boolean, answer: object, lines: string[]): void {
  process.stdout.write(json ? `${JSON.stringify(answer)}\n` : `${lines.join('\n')}\n`)
}

/** What went wrong: words on stderr, and with --json an object on stdout, so that a program always has one to read. */
export function printError(json: boolean, error: unknown): void {
  if (isConnectionLost(error)) {
    const { code } = error as Error & { code?: string }
    printError(
      json,
      new ServiceError(
        'not_ready',
        `The database does not answer (${code ?? 'timeout'}). Check DATABASE_URL, and that it runs.`,
      ),
    )
    return
  }
  const known = error instanceof ServiceError || error instanceof ConfigError
  const message = error instanceof Error ? error.message : String(error)
  if (json)
    process.stdout.write(`${JSON.stringify({ error: { code: known ? error.code : 'internal', message } })}\n`)
  process.stderr.write(`${message}\n`)
}

export interface Progress {
  update(done: number): void
  stop(): void
}

/** A bar on a terminal, nothing elsewhere. `total` is asked for only if there is a terminal to show it. */
export async function startProgress(label: string, total: () => Promise<number>): Promise<Progress> {
  if (!process.stderr.isTTY) return { update: () => {}, stop: () => {} }
  const bar = new SingleBar({ format: `${label} {bar} {value}/{total} {eta_formatted}`, hideCursor: true })
  bar.start(await total(), 0)
  return {
    update(done) {
      bar.update(done)
    },
    stop() {
      bar.stop()
    },
  }
}
