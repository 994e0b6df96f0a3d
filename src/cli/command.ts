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

/** What a command is told by the process it runs in. */
export interface Cli {
  env: Environment
  streams: Streams
  /** Aborted by the first SIGINT or SIGTERM. */
  stop: AbortSignal
  /** Runs a command to its exit code; an error is printed, with --json as an object on stdout. */
  end(options: JsonOption, work: () => Promise<number>): Promise<void>
}

/** A file of this folder: its words, its options, and what it does. */
export type AddCommand = (program: Command, cli: Cli) => void
