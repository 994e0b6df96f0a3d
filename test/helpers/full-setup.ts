import type { TestProject } from 'vitest/node'
import { openDatabase } from '../../src/db/connect.js'
import { migrateLatest } from '../../src/schema.js'
import { findBrowser } from './find-browser.js'
import { findPromtool } from './find-promtool.js'
import { startMysqlServer } from './mysql-server.js'
import { buildProgram } from './program.js'

declare module 'vitest' {
  export interface ProvidedContext {
    /** A MySQL or MariaDB server with rights to create databases. */
    mysqlServerUrl: string
    /** Starts the name of every database of this run. */
    databasePrefix: string
    /** The command line, built. */
    program: string
    /** helpers/token-process.ts, built as well. */
    tokenProcess: string
    /** Prometheus' tool that checks metrics and rules. */
    promtool: string
  }
}

/** What a full run needs beside SQLite: Chromium, promtool, MySQL and the program. Answers how to take it down. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  findBrowser()
  project.provide('promtool', findPromtool())
  const program = await buildProgram()
  project.provide('program', program.main)
  project.provide('tokenProcess', program.tokenProcess)
  const stopMysql = await setUpMysql(project)
  return async () => {
    program.remove()
    await stopMysql()
  }
}

/** One MySQL for the whole run: the one of TEST_DATABASE_URL, else a private one. */
async function setUpMysql(project: TestProject): Promise<() => Promise<void>> {
  const databasePrefix = `reminder_test_${process.pid}_`
  project.provide('databasePrefix', databasePrefix)
  const given = process.env.TEST_DATABASE_URL
  if (given) {
    project.provide('mysqlServerUrl', given)
    await createTemplate(given, databasePrefix)
    return () => dropDatabases(given, databasePrefix)
  }
  const server = await startMysqlServer()
  project.provide('mysqlServerUrl', server.url)
  await createTemplate(server.url, databasePrefix)
  return server.stop
}

/** A migrated database whose tables the others copy: a tenth of the time that the migrations take. */
async function createTemplate(serverUrl: string, prefix: string): Promise<void> {
  const name = `${prefix}template`
  const server = openDatabase(serverUrl)
  await server.raw('CREATE DATABASE ?? CHARACTER SET utf8mb4', [name])
  await server.destroy()
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  const db = openDatabase(url.href)
  await migrateLatest(db, { onMessage: () => {}, appId: '' })
  await db.destroy()
}

/** What tests that failed or were interrupted left on a server that is not ours to remove. */
async function dropDatabases(serverUrl: string, prefix: string): Promise<void> {
  const server = openDatabase(serverUrl)
  try {
    const databases: { name: string }[] = await server('information_schema.schemata')
      .select({ name: 'schema_name' })
      .where('schema_name', 'like', `${prefix.replaceAll('_', '\\_')}%`)
    for (const { name } of databases) await server.raw('DROP DATABASE ??', [name])
  } finally {
    await server.destroy()
  }
}
