import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createConnection } from 'mysql2/promise'
import { makeDataFolder } from './data-folder.js'
import { findProgram, installWithApt, killChild, onFreePort, tieToThisProcess } from './private-server.js'

const START_TIMEOUT_MS = 60_000
const POLL_MS = 20
/** Debian keeps servers in sbin, Fedora in libexec: neither is in everybody's PATH. */
const SERVER_FOLDERS = [
  '/usr/sbin',
  '/usr/local/sbin',
  '/usr/libexec',
  '/usr/local/mysql/bin',
  '/opt/homebrew/bin',
]
const APT_PACKAGE = 'mariadb-server-core'

/** A MariaDB or MySQL of our own on a free loopback port, with its data in a folder that goes when it does. */
export interface MysqlServer {
  /** With rights to create databases; names none. The same after a restart. */
  url: string
  /** Ends the server and removes its data. Safe to call twice. */
  stop(): Promise<void>
  /** SIGKILL, as a crash of the machine's database would be: the data stays for `restart`. */
  kill(): Promise<void>
  /** SIGSTOP: it holds its connections and answers nothing, until `thaw`. */
  freeze(): void
  thaw(): void
  /** Starts the server again on the same data and port, ending it first if it runs. */
  restart(): Promise<void>
}

/**
 * Starts a private server from `mariadbd` or `mysqld`, with options of its own; root on Debian or Ubuntu gets one by apt when there is none.
 * The server also ends, and its data folder goes, when this process ends in any way, SIGKILL included.
 */
export async function startMysqlServer(
  options: string[] = [],
  folder = makeDataFolder('reminder-mysql-'),
): Promise<MysqlServer> {
  const program = findServer() ?? installServer()
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
    initialiseData(program, folder)
    const { port, started } = await onFreePort((port) => startServer(program, folder, port, options))
    child = started
    return {
      url: serverUrl(port),
      stop,
      kill,
      freeze: () => void child?.kill('SIGSTOP'),
      thaw: () => void child?.kill('SIGCONT'),
      restart: async () => {
        await kill()
        child = await startServer(program, folder, port, options)
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function findServer(): string | undefined {
  return findProgram(['mariadbd', 'mysqld'], SERVER_FOLDERS)
}

function installServer(): string {
  installWithApt(APT_PACKAGE, 'MySQL or MariaDB server')
  const installed = findServer()
  if (installed) return installed
  throw new Error(
    `The tests need a MySQL or MariaDB server. One of these gives them one:
  - set TEST_DATABASE_URL=mysql://user:password@host:3306 (with rights to create databases)
  - install MariaDB or MySQL, so that mariadbd or mysqld is found in PATH or ${SERVER_FOLDERS.join(', ')}
  - run the tests as root on Debian or Ubuntu, and ${APT_PACKAGE} is installed with apt-get`,
  )
}

function initialiseData(program: string, folder: string): void {
  const version = spawnSync(program, ['--no-defaults', '--version'], { encoding: 'utf8' }).stdout
  const options = [
    '--no-defaults',
    `--datadir=${dataOf(folder)}`,
    // A server that starts removes the temporary tables that it finds in its tmpdir, other servers' too.
    `--tmpdir=${folder}`,
    exportsTo(folder),
    ...asRoot(),
  ]
  const { status, stderr } = version.includes('MariaDB')
    ? bootstrapMariadb(program, options, dataOf(folder))
    : spawnSync(program, [...options, '--initialize-insecure'], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program}: the data folder could not be initialised\n${stderr}`)
  // A user of our own: which root@host exists differs between the two, and names are not resolved.
  writeFileSync(
    initFile(folder),
    `CREATE USER IF NOT EXISTS 'test'@'127.0.0.1' IDENTIFIED BY 'test';
GRANT ALL PRIVILEGES ON *.* TO 'test'@'127.0.0.1' WITH GRANT OPTION;
`,
  )
}

/**
 * The part of mariadb-install-db that a test needs. The script itself needs my_print_defaults and resolveip, which
 * Debian's server-core package does not contain.
 */
function bootstrapMariadb(program: string, options: string[], dataFolder: string) {
  mkdirSync(join(dataFolder, 'mysql'), { recursive: true })
  const input = [
    'USE mysql;',
    'SET @auth_root_socket = NULL;',
    systemTablesSql(program, 'system_tables.sql'),
    systemTablesSql(program, 'system_tables_data.sql'),
  ].join('\n')
  return spawnSync(program, [...options, '--bootstrap', '--log-warnings=0'], { input, encoding: 'utf8' })
}

/** MariaDB 11 renamed mysql_*.sql to mariadb_*.sql. */
function systemTablesSql(program: string, name: string): string {
  const share = join(dirname(dirname(realpathSync(program))), 'share')
  const folders = [...['mysql', 'mariadb', ''].map((folder) => join(share, folder)), '/usr/share/mysql']
  const paths = folders.flatMap((folder) => [join(folder, `mysql_${name}`), join(folder, `mariadb_${name}`)])
  const found = paths.find((path) => existsSync(path))
  if (!found) throw new Error(`${program} was found, but none of ${paths.join(', ')}`)
  return readFileSync(found, 'utf8')
}

async function startServer(
  program: string,
  folder: string,
  port: number,
  options: string[],
): Promise<ChildProcess> {
  const log = join(folder, 'error.log')
  const child = spawn(
    program,
    [
      '--no-defaults',
      `--datadir=${dataOf(folder)}`,
      `--tmpdir=${folder}`,
      exportsTo(folder),
      `--socket=${join(folder, 'socket')}`,
      `--pid-file=${pidFile(folder)}`,
      `--log-error=${log}`,
      `--init-file=${initFile(folder)}`,
      '--bind-address=127.0.0.1',
      `--port=${port}`,
      '--skip-name-resolve',
      '--skip-log-bin',
      '--character-set-server=utf8mb4',
      '--max-connections=500',
      '--innodb-buffer-pool-size=256M',
      // As in production: a commit that was answered survives the kill.
      '--innodb-flush-log-at-trx-commit=1',
      '--performance-schema=OFF',
      '--loose-mysqlx=OFF',
      // Plans as MySQL 8.0 and MariaDB show them.
      '--loose-explain-format=TRADITIONAL',
      '--loose-explain-json-format-version=1',
      ...options,
      ...asRoot(),
    ],
    { stdio: 'ignore', detached: true },
  )
  child.unref()
  const deadline = Date.now() + START_TIMEOUT_MS
  while (!(await answers(port, folder))) {
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline) {
      await killChild(child)
      throw new Error(
        `${program} did not start:\n${existsSync(log) ? readFileSync(log, 'utf8').slice(-4000) : ''}`,
      )
    }
    await sleep(POLL_MS)
  }
  return child
}

/** The pid file tells our server from a stranger on the port. */
async function answers(port: number, folder: string): Promise<boolean> {
  if (!existsSync(pidFile(folder))) return false
  try {
    const connection = await createConnection(serverUrl(port))
    await connection.end()
    return true
  } catch {
    return false
  }
}

/** The server refuses to run as root unless it is told to. */
function asRoot(): string[] {
  return process.getuid?.() === 0 ? ['--user=root'] : []
}

/** MySQL does not start without the folder that it was built to export to, which only the packages of a whole server have. */
const exportsTo = (folder: string) => `--secure-file-priv=${folder}`

const serverUrl = (port: number) => `mysql://test:test@127.0.0.1:${port}`
const dataOf = (folder: string) => join(folder, 'data')
const pidFile = (folder: string) => join(folder, 'server.pid')
const initFile = (folder: string) => join(folder, 'init.sql')
