import { findProgram, installWithApt } from './private-server.js'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome']
const FOLDERS = ['/usr/bin', '/opt/homebrew/bin', '/Applications/Chromium.app/Contents/MacOS']
const APT_PACKAGE = 'chromium'

/**
 * Where a Chromium is: that of TEST_BROWSER, one of this machine, or, for root on Debian, one that is installed now. That
 * may take minutes, longer than a hook of a test may, so the set-up asks for it first. Throws what would give it one.
 */
export function findBrowser(): string {
  const known = process.env.TEST_BROWSER || findProgram(NAMES, FOLDERS)
  if (known) return known
  installWithApt(APT_PACKAGE, 'Chromium')
  const installed = findProgram(NAMES, FOLDERS)
  if (installed) return installed
  throw new Error(
    `The tests of pages need Chromium. One of these gives them one:
  - install Chromium or Chrome, so that ${NAMES.join(' or ')} is found in PATH or ${FOLDERS.join(', ')}
  - set TEST_BROWSER to the path of the program
  - run the tests as root on Debian, and ${APT_PACKAGE} is installed with apt-get`,
  )
}
