import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { programVersion } from './version.js'

/** One start of the program, as log lines and wx_instance name it. */
export interface Instance {
  /** The host and eight random digits, at most 64 ASCII characters: a restart is another instance. */
  id: string
  host: string
  pid: number
  version: string
}

const MAX_HOST = 50

export function createInstance(): Instance {
  const host = hostname()
    .replace(/[^\w.-]/g, '_')
    .slice(0, MAX_HOST)
  return {
    id: `${host}-${randomBytes(4).toString('hex')}`,
    host,
    pid: process.pid,
    version: programVersion(),
  }
}
