import {
  type ChildProcess,
  type SpawnSyncOptionsWithStringEncoding,
  spawn,
  spawnSync,
} from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'

/** What a server of our own needs, whichever it is. */

const START_ATTEMPTS = 3
const APT_GET = '/usr/bin/apt-get'

/** The first of these programs, in PATH or one of the folders. */
export function findProgram(names: string[], furtherFolders: string[]): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...furtherFolders]
  for (const name of names) {
    const found = folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
    if (found) return found
  }
  return undefined
}

/** Installs a package of Debian or Ubuntu if we are root there, and says what apt said if it fails. */
export function installWithApt(aptPackage: string, what: string): void {
  if (process.getuid?.() !== 0 || !existsSync(APT_GET)) return
  process.stderr.write(`No ${what} found: installing ${aptPackage} with apt-get ...\n`)
  const options: SpawnSyncOptionsWithStringEncoding = {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    // apt's output may be larger than spawnSync would hold; its errors are not.
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  }
  const lock = ['-o', 'DPkg::Lock::Timeout=300']
  spawnSync(APT_GET, ['update', ...lock], options)
  const { status, stderr } = spawnSync(
    APT_GET,
    ['install', '--yes', '--no-install-recommends', ...lock, aptPackage],
    options,
  )
  if (status !== 0) process.stderr.write(stderr)
}

/**
 * A shell that waits for the end of its standard input, which comes when this process ends however it ends, then
 * kills the server and removes the folder. An exit handler would miss SIGKILL, and signal handlers would get in the
 * way of the test runner's own.
 */
export function tieToThisProcess(folder: string, pidFile: string): () => Promise<void> {
  const script = `read _; test -f "$1" && kill -9 "$(cat "$1")"; while ! rm -rf "$2"; do sleep 0.1; done`
  const watcher = spawn('/bin/sh', ['-c', script, 'sh', pidFile, folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    // Out of the terminal's process group: Ctrl-C must reach the tests and leave this one to tidy up.
    detached: true,
  })
  const ended = once(watcher, 'exit')
  watcher.unref()
  return async () => {
    watcher.ref()
    watcher.stdin.end()
    await ended
  }
}

/** Another program may take the port between our look and the server's bind: then another one is tried. */
export async function onFreePort<T>(
  start: (port: number) => Promise<T>,
): Promise<{ port: number; started: T }> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    try {
      return { port, started: await start(port) }
    } catch (error) {
      if (attempt === START_ATTEMPTS) throw error
    }
  }
}

export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('No loopback port is free')
  return address.port
}

export async function killChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.ref()
  child.kill('SIGKILL')
  await ended
}
