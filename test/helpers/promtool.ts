import { spawnSync } from 'node:child_process'
import { findProgram, installWithApt } from './private-server.js'

const FOLDERS = ['/usr/local/bin', '/opt/homebrew/bin']
/** It has promtool; the server in it is not started. */
const APT_PACKAGE = 'prometheus'

const findPromtool = (): string | undefined => findProgram(['promtool'], FOLDERS)

/** What promtool says, and its exit code: 0 when all is well, 3 for what it only advises against. */
export function promtool(
  args: string[],
  { input = '', cwd }: { input?: string; cwd?: string } = {},
): { code: number | null; said: string } {
  const program = findPromtool() ?? installPromtool()
  const { status, stdout, stderr } = spawnSync(program, args, { input, cwd, encoding: 'utf8' })
  return { code: status, said: stdout + stderr }
}

function installPromtool(): string {
  installWithApt(APT_PACKAGE, 'promtool')
  const installed = findPromtool()
  if (installed) return installed
  throw new Error(
    `The tests need promtool, which comes with Prometheus. One of these gives them one:
  - install Prometheus, so that promtool is found in PATH or ${FOLDERS.join(', ')}
  - run the tests as root on Debian or Ubuntu, and ${APT_PACKAGE} is installed with apt-get`,
  )
}
