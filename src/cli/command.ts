import type { Command } from 'commander'
import type { Environment } from '../config/read.js'

/** What commands share. */

export const EXIT = { ok: 0, error: 1, notFinished: 2, found: 3 } as const

export interface JsonOption {
  json: boolean
}

/** Where a command writes: its answer to stdout, everything else to stderr. */
export interface Streams {
  stdout: { write(text: string): unknown }
  stderr: { write(text: string): unknown; isTTY?: boolean }
}

/** What the process gives to a command. */
export interface Cli {
  env: Environment
  streams: Streams
  /** Aborted by the first SIGINT or SIGTERM. */
  stop: AbortSignal
  /** Runs a command and keeps its exit code. An error is printed; with --json it is also an object on stdout. */
  end(options: JsonOption, work: () => Promise<number>): Promise<void>
}

/** A command's file exports one of these: it adds the name, the options and the action. */
export type AddCommand = (program: Command, cli: Cli) => void
