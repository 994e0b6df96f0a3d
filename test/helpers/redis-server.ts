import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { findProgram, installWithApt, killChild, onFreePort, tieToThisProcess } from './private-server.js'

const START_TIMEOUT_MS = 30_000
const POLL_MS = 20
const FOLDERS = ['/usr/local/bin', '/opt/homebrew/bin']
/**
 * Debian's redis-server package is a link to redis-check-rdb of redis-tools, one program that goes by the name it is
 * called, and a system service that would be started. We want the program alone.
 */
const APT_PACKAGE = 'redis-tools'
const NAMES = ['redis-server', 'valkey-server', 'redis-check-rdb']

/** A Redis of our own on a free loopback port, in memory only. */
export interface RedisServer {
  /** With the password. The same after a restart. */
  url: string
  port: number
  password: string
  /** Ends the server. Safe to call twice. */
  stop(): Promise<void>
  /** SIGKILL: whatever it held is gone. */
  kill(): Promise<void>
  /** Starts it again, empty, on the same port, ending it first if it runs. */
  restart(): Promise<void>
  /** SIGSTOP: takes connections, and answers nothing until `resume`. */
  pause(): void
  resume(): void
}

/** Ends with this process too, however that ends. */
export async function startRedisServer({ password = 'p@ss/w#rd' } = {}): Promise<RedisServer> {
  const program = findServer() ?? installServer()
  const folder = mkdtempSync(join(tmpdir(), 'reminder-redis-'))
  const releaseFolder = tieToThisProcess(folder, pidFile(folder))
  let child: ChildProcess | undefined

  const kill = async () => {
    if (child) await killChild(child)
    child = undefined
    rmSync(pidFile(folder), { force: true })
  }
  const stop = async () => {
    await kill()
    await releaseFolder()
  }

  try {
    const { port, started } = await onFreePort((port) => startServer(program, folder, port, password))
    child = started
    return {
      url: serverUrl(port, password),
      port,
      password,
      stop,
      kill,
      restart: async () => {
        await kill()
        child = await startServer(program, folder, port, password)
      },
      pause: () => child?.kill('SIGSTOP'),
      resume: () => child?.kill('SIGCONT'),
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function findServer(): string | undefined {
  return findProgram(NAMES, FOLDERS)
}

function installServer(): string {
  installWithApt(APT_PACKAGE, 'Redis server')
  const installed = findServer()
  if (installed) return installed
  throw new Error(
    `The tests need a Redis server. One of these gives them one:
  - install Redis or Valkey, so that redis-server or valkey-server is found in PATH or ${FOLDERS.join(', ')}
  - run the tests as root on Debian or Ubuntu, and ${APT_PACKAGE} is installed with apt-get`,
  )
}

async function startServer(
  program: string,
  folder: string,
  port: number,
  password: string,
): Promise<ChildProcess> {
  const log = join(folder, 'redis.log')
  const settings = {
    bind: '127.0.0.1',
    port,
    requirepass: password,
    dir: folder,
    pidfile: pidFile(folder),
    logfile: log,
    save: '',
    appendonly: 'no',
  }
  const child = spawn(
    program,
    Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
    {
      argv0: basename(program) === 'redis-check-rdb' ? 'redis-server' : program,
      stdio: 'ignore',
      detached: true,
    },
  )
  child.unref()
  const deadline = Date.now() + START_TIMEOUT_MS
  while (!(await answers(port, password))) {
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline) {
      await killChild(child)
      const said = existsSync(log) ? readFileSync(log, 'utf8').slice(-4_000) : ''
      throw new Error(`${program} did not start:\n${said}`)
    }
    await sleep(POLL_MS)
  }
  return child
}

async function answers(port: number, password: string): Promise<boolean> {
  const redis = new Redis(serverUrl(port, password), { lazyConnect: true, retryStrategy: () => null })
  redis.on('error', () => {})
  try {
    await redis.connect()
    return (await redis.ping()) === 'PONG'
  } catch {
    return false
  } finally {
    redis.disconnect()
  }
}

const serverUrl = (port: number, password: string) =>
  `redis://:${encodeURIComponent(password)}@127.0.0.1:${port}`
const pidFile = (folder: string) => join(folder, 'redis.pid')
