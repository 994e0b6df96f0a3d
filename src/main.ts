import { run } from './cli/run.js'

/** For output that is still on its way. */
const LINGER_MS = 1_000

process.exitCode = await run(process.argv, process.env)
// Everything is closed. A statement that lost its connection leaves mysql2's timer behind, which would keep the process
// for the 30 s that a statement may take.
setTimeout(() => process.exit(), LINGER_MS).unref()
