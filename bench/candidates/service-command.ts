import { run } from '../../src/cli/run.js'
import { config, finish, ready } from '../rig/candidate.js'
import { SETTINGS } from './account.js'

/** One command of the service over a whole account, in this process. A done unit is a user. */
const { databaseUrl, command, users } = config<{ databaseUrl: string; command: string[]; users: number }>()
const output: string[] = []
const streams = { stdout: { write: (text: string) => output.push(text) }, stderr: process.stderr }
await ready()
const startedAt = performance.now()
const code = await run(
  ['node', 'reminder', ...command, '--json'],
  { ...SETTINGS, DATABASE_URL: databaseUrl },
  streams,
)
const seconds = (performance.now() - startedAt) / 1_000
if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}: ${output.join('').slice(0, 500)}`)
finish({ done: users, seconds })
