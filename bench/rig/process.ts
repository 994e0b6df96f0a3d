import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface, type Interface } from 'node:readline'

/** A script of the benchmark in a process of its own: it writes lines, and may be told a line. */
export interface Script {
  pid: number
  /** The next line that it writes. Rejects if it ends without one. */
  line(): Promise<string>
  tell(line: string): void
  kill(): Promise<void>
}

/** Starts a script of bench/. `config` reaches it as JSON in BENCH. */
export function startScript(name: string, config: object): Script {
  const script = new URL(`../${name}`, import.meta.url).pathname
  const child = spawn(process.execPath, ['--import', '@oxc-node/core/register', script], {
    env: { ...process.env, BENCH: JSON.stringify(config) },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  return asScript(name, child, createInterface({ input: child.stdout }))
}

function asScript(name: string, child: ChildProcess, output: Interface): Script {
  const lines = output[Symbol.asyncIterator]()
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  return {
    pid: child.pid ?? 0,
    async line() {
      const { value, done } = await lines.next()
      if (done) throw new Error(`bench/${name} ended without a line`)
      return value
    },
    tell: (line) => void child.stdin?.write(`${line}\n`),
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** What a script was started with. */
export function config<Config>(): Config {
  return JSON.parse(process.env.BENCH ?? '{}') as Config
}

/** Tells that everything is prepared, and waits for the start. */
export async function ready(): Promise<void> {
  process.stdout.write('ready\n')
  await new Promise<void>((resolve) => process.stdin.once('data', () => resolve()))
}

/** Gives the result, and stays until it is killed: the rig reads what the process has used. */
export function finish(result: object): void {
  process.stdout.write(`${JSON.stringify(result)}\n`)
  setInterval(() => {}, 60_000)
}
