import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readAccount } from '../../src/config/read.js'
import { openDatabase } from '../../src/db/connect.js'
import { windowEnd } from '../../src/messages/window.js'
import { NOW } from '../helpers/constants.js'
import { emptyTables, migrate } from '../helpers/database.js'
import { begin, commands, finish, type Real } from './commands.js'
import { Model } from './model.js'
import { StandIn } from './stand-in.js'

// @module-tag long

const SEED = 20_261_120
/** Some 4 s of work. All of them on each machine, however busy: what a run finds must not depend on the time of day. */
const RUNS = 80
/** Far more than they take on a busy one. */
const TIMEOUT_MS = 240_000

/**
 * Whatever happens to messages, in any order: the tables say after each step what a simple model says, and keep the
 * promises of docs/delivery.md. A failing run prints the fewest commands that still fail, and the seed and path to
 * repeat them. Seen to fail within seconds with each of these taken out of the code: the fence in settle, the fence in
 * lockHeld, `maybe_sent` at a takeover of a lapsed message, the doubt in front of a next permit, the doubt in front of a
 * give-back, the return of last_date, the order of permits by their end.
 */
test(
  'messages do what the model does, whatever crashes, lapses or is answered',
  async () => {
    const db = openDatabase('sqlite::memory:')
    const account = { ...readAccount({ WX_APP_ID: 'wx1' }), templateId: 'template' }
    await migrate(db)
    try {
      let messages = 0
      const property = fc.asyncProperty(
        fc.commands(commands, { maxCommands: 60, size: 'max' }),
        async (run) => {
          await emptyTables(db)
          const model = new Model(NOW, (date) => windowEnd(account, date))
          const real: Real = { db, account, wechat: new StandIn(), hands: [], frozen: [] }
          await begin(model, real)
          await fc.asyncModelRun(() => ({ model, real }), run)
          await finish(model, real)
          messages += model.messages.length
        },
      )
      await fc.assert(property, { seed: SEED, numRuns: RUNS })
      // It was about something.
      expect(messages).toBeGreaterThan(RUNS)
    } finally {
      await db.destroy()
    }
  },
  TIMEOUT_MS,
)
