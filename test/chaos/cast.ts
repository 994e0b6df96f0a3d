import type { MysqlServer } from '../helpers/mysql-server.js'
import type { Backend } from './backend.js'
import type { EndingsWatch } from './endings.js'
import type { Processes } from './processes.js'
import type { ResumeWatch } from './resume.js'
import type { Stage } from './stage.js'
import type { Submitter } from './submitter.js'
import type { Counts } from './troubles.js'
import type { Uploader } from './uploads.js'

/** Everybody who acts in one run, or watches it. */
export interface Cast {
  stage: Stage
  processes: Processes
  uploader: Uploader
  submitter: Submitter
  backends: Backend[]
  resume: ResumeWatch
  endings: EndingsWatch
  counts: Counts
  /** Of each place. */
  ports: number[]
  /** The database's, where it can be killed. */
  server: MysqlServer | undefined
}
