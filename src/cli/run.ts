import { Command, CommanderError } from 'commander'
import type { Environment } from '../config/read.js'
import { armFailpoints } from '../lib/failpoint.js'
import { setTestTiming } from '../lib/test-timing.js'
import { programVersion } from '../lib/version.js'
import { addAudit } from './audit.js'
import { addBridge } from './bridge.js'
import { addBringBack } from './bring-back.js'
import { type AddCommand, type Cli, EXIT, type Streams } from './command.js'
import { addDemo } from './demo.js'
import { addDoctor } from './doctor.js'
import { addExpire } from './expire.js'
import { addExplain } from './explain.js'
import { addForecast } from './forecast.js'
import { addHashKey } from './hash-key.js'
import { addHashPassword } from './hash-password.js'
import { addMessages } from './messages.js'
import { addMigrate } from './migrate.js'
import { printError } from './output.js'
import { addPlan } from './plan.js'
import { addPreview } from './preview.js'
import { addRecover } from './recover.js'
import { addRemind } from './remind.js'
import { addRequeue } from './requeue.js'
import { addRestored } from './restored.js'
import { addSandbox } from './sandbox.js'
import { addSendTest } from './send-test.js'
import { addServe } from './serve.js'
import { listenForSignals } from './signals.js'
import { addStatus } from './status.js'
import { addSummarize } from './summarize.js'
import { addWebhooks } from './webhooks.js'

const COMMANDS: AddCommand[] = [
  addServe,
  addMigrate,
  addRemind,
  addSendTest,
  addPlan,
  addPreview,
  addExplain,
  addForecast,
  addBridge,
  addStatus,
  addSummarize,
  addExpire,
  addRecover,
  addMessages,
  addRequeue,
  addBringBack,
  addWebhooks,
  addRestored,
  addAudit,
  addDoctor,
  addHashPassword,
  addHashKey,
  addSandbox,
  addDemo,
]

/** The commands with their options, before anything is parsed. */
export function createProgram(cli: Cli): Command {
  const { stdout, stderr } = cli.streams
  const program = new Command('reminder')
    .description('Sign-in reminders for WeChat mini-programs')
    .version(programVersion())
    .exitOverride()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
    })
  for (const add of COMMANDS) add(program, cli)
  return program
}

/**
 * Runs the command line: `argv` as Node gives it, the settings in `env`. Returns the exit code once the command has
 * closed everything. Listens for SIGINT and SIGTERM meanwhile.
 */
export async function run(argv: string[], env: Environment, streams: Streams = process): Promise<number> {
  if (env.REMINDER_FAILPOINTS) {
    armFailpoints(env.REMINDER_FAILPOINTS)
    if (env.REMINDER_TEST_TIMING) setTestTiming(env.REMINDER_TEST_TIMING)
  }
  let code: number = EXIT.ok
  const signals = listenForSignals()
  const cli: Cli = {
    env,
    streams,
    stop: signals.stop,
    async end({ json }, work) {
      try {
        code = await work()
      } catch (error) {
        printError(streams, json, error)
        code = EXIT.error
      }
    },
  }
  try {
    await createProgram(cli).parseAsync(argv)
    return code
  } catch (error) {
    // A usage error, or a request for help: commander has already printed it.
    if (error instanceof CommanderError) return error.exitCode
    throw error
  } finally {
    signals.end()
  }
}
