import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { inject, onTestFinished } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

export interface Running {
  /** What it has written so far. */
  readonly stdout: string
  readonly stderr: string
  kill(signal: NodeJS.Signals): void
  ended: Promise<Ended>
}

type Environment = Record<string, string>

/** The real program in a process of its own, with these variables and no others. Killed if the test ends before it. */
export function startCommand(words: string[], env: Environment, cwd = ROOT): Running {
  return start(process.execPath, [inject('program'), ...words], env, cwd)
}

export function runCommand(words: string[], env: Environment): Promise<Ended> {
  return startCommand(words, env).ended
}

/** As a person types it: `npm run -s cli -- COMMAND`. */
export function runByNpm(words: string[], env: Environment): Promise<Ended> {
  return start('npm', ['run', '-s', 'cli', '--', ...words], env, ROOT).ended
}

/** As an operator starts the service. */
export function startByNpm(env: Environment): Running {
  return start('npm', ['start'], env, ROOT)
}

function start(program: string, words: string[], env: Environment, cwd: string): Running {
  const { PATH = '', HOME = '' } = process.env
  const child = spawn(program, words, {
    cwd,
    env: { PATH, HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text
  })
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, ...output }))
  })
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return {
    get stdout() {
      return output.stdout
    },
    get stderr() {
      return output.stderr
    },
    kill: (signal) => child.kill(signal),
    ended,
  }
}
