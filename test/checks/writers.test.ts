// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are the text of sources.
import { expect, test } from 'vitest'
import { findStrayWrites, writesIn } from '../../checks/writers.js'

const tables = (text: string) => writesIn(text).map(({ table }) => table)

test.each([
  'UPDATE wx_save_form_id SET status = 0',
  'INSERT INTO wx_save_form_id (id) VALUES (?)',
  'INSERT IGNORE INTO wx_save_form_id (id) VALUES (?)',
  'INSERT OR IGNORE INTO wx_save_form_id (id) VALUES (?)',
  'REPLACE INTO wx_save_form_id (id) VALUES (?)',
  'DELETE FROM wx_save_form_id WHERE id = ?',
  'TRUNCATE TABLE wx_save_form_id',
  "UPDATE ${isSqlite(trx) ? 'OR IGNORE' : 'IGNORE'} wx_save_form_id SET app_id = ?",
  'INSERT INTO wx_save_form_id\n  (id) VALUES (?)',
  "db('wx_save_form_id').where({ id }).update({ status: 1 })",
  "type Table = 'wx_save_form_id'; execute(db, `DELETE FROM ${table} WHERE id = ?`)",
])('a write to a public table is seen: %s', (text) => {
  expect(tables(text)).toEqual(['wx_save_form_id'])
})

test.each([
  'SELECT id FROM wx_save_form_id WHERE id = ? FOR UPDATE',
  'UPDATE wx_push_message SET permit_id = (SELECT id FROM wx_save_form_id LIMIT 1)',
  "const TABLES = ['wx_save_form_id']; `SELECT 1 FROM ${table}`",
  '/** Rows of wx_save_form_id are updated by the books. */',
])('a read of a public table is none: %s', (text) => {
  expect(tables(text)).toEqual([])
})

test('a write from another folder is named by file and line', () => {
  const text = 'line one\nUPDATE wx_job_run SET state = ?'
  expect(findStrayWrites([{ path: 'src/runs/totals.ts', text }])).toEqual([])
  expect(findStrayWrites([{ path: 'src/permits/store.ts', text }])).toEqual([
    'src/permits/store.ts:2 writes to wx_job_run: that belongs to src/runs/',
  ])
})
