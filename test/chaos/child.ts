import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Ending {
  code: number | null
  signal: NodeJS.Signals | null
}

/** One process of the command line. */
export interface Child {
  pid: number
  /** Resolves when it has ended in whatever way. */
  ended: Promise<Ending>
  readonly ending: Ending | undefined
  signal(signal: NodeJS.Signals): void
  /** Whether this is in its log; the empty text: anything. */
  hasSaid(text: string): boolean
  /** Whether SIGSTOP has it, by our hand or by its own. */
  isFrozen(): boolean
}

/** Starts a process whose answer goes to `<file>.out` and whose log goes to `<file>.log`. */
export function startChild(main: string, args: string[], env: NodeJS.ProcessEnv, file: string): Child {
  const [out, log] = [openSync(`${file}.out`, 'a'), openSync(`${file}.log`, 'a')]
  const child: ChildProcess = spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', out, log] })
  closeSync(out)
  closeSync(log)
  const { pid } = child
  if (pid === undefined) throw new Error(`node ${main} did not start`)
  let ending: Ending | undefined
  const ended = once(child, 'exit').then(() => {
    ending = { code: child.exitCode, signal: child.signalCode }
    return ending
  })
  return {
    pid,
    ended,
    get ending() {
      return ending
    },
    signal: (signal) => void child.kill(signal),
    hasSaid: (text) =>
      text === '' ? statSync(`${file}.log`).size > 0 : readFileSync(`${file}.log`, 'utf8').includes(text),
    isFrozen: () => stateOf(pid) === 'T',
  }
}

/** Waits until the process has ended, at most so long. */
export async function endsWithin(child: Child, ms: number): Promise<boolean> {
  const timeout = new AbortController()
  const ended = await Promise.race([
    child.ended.then(() => true),
    sleep(ms, false, { signal: timeout.signal }).catch(() => false),
  ])
  timeout.abort()
  return ended
}

/** The letter after the name in brackets, which may itself hold blanks and brackets. */
function stateOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2)[0]
  } catch {
    return undefined
  }
}
