import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { compile, DIST } from '../../build/compile.js'

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
  const child = spawn(process.execPath, commandOf(name), {
    env: { ...process.env, BENCH: JSON.stringify(config) },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  return asScript(name, child, createInterface({ input: child.stdout }))
}

let isCompiled = false

/** Each as its author would run it: what is written in TypeScript compiled, the service with the options of `npm start`. */
function commandOf(name: string): string[] {
  if (name.endsWith('.mjs'))
    return ['--import', '@oxc-node/core/register', new URL(`../${name}`, import.meta.url).pathname]
  if (!isCompiled) compile('src', 'migrations', 'bench/candidates', 'bench/rig')
  isCompiled = true
  const script = join(DIST, 'bench', name.replace(/\.ts$/, '.js'))
  return name.startsWith('candidates/service-') ? [...startOptions(), script] : [script]
}

function startOptions(): string[] {
  const { scripts } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    scripts: { start: string }
  }
  return scripts.start.split(' ').filter((word) => word.startsWith('--'))
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
