import { findProgram, installWithApt } from './private-server.js'

const FOLDERS = ['/usr/local/bin', '/opt/homebrew/bin']
/** It has promtool; the server in it is not started. */
const APT_PACKAGE = 'prometheus'

/** The path of promtool: found, or installed. */
export function findPromtool(): string {
  const find = () => findProgram(['promtool'], FOLDERS)
  const found = find()
  if (found) return found
  installWithApt(APT_PACKAGE, 'promtool')
  const installed = find()
  if (installed) return installed
  throw new Error(
    `The tests need promtool, which comes with Prometheus. One of these gives them one:
  - install Prometheus, so that promtool is found in PATH or ${FOLDERS.join(', ')}
  - run the tests as root on Debian or Ubuntu, and ${APT_PACKAGE} is installed with apt-get`,
  )
}
