import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openDatabase } from '../../src/db/connect.js'

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)

test.each(['new', 'existing'])(
  'a SQLite database and its folder are their owner’s alone: %s',
  async (state) => {
    const root = mkdtempSync(join(tmpdir(), 'file-modes-'))
    onTestFinished(() => rmSync(root, { recursive: true }))
    const umask = process.umask(0o022)
    onTestFinished(() => void process.umask(umask))
    const folder = state === 'new' ? join(root, 'data') : root
    const file = join(folder, 'reminder.db')
    if (state === 'existing') {
      writeFileSync(file, '')
      chmodSync(file, 0o664)
    }
    const db = openDatabase(`sqlite:${file}`)
    onTestFinished(() => db.destroy())
    await db.raw('CREATE TABLE t (a INTEGER)')
    await db.raw('INSERT INTO t VALUES (1)')
    expect([file, `${file}-wal`, `${file}-shm`].map(modeOf)).toEqual(['600', '600', '600'])
    expect(modeOf(folder)).toBe('700')
  },
)
