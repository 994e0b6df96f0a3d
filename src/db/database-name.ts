import { resolve } from 'node:path'

/**
 * The database of a DATABASE_URL for people to read: an absolute path, or user, host and name. What follows a
 * `?` is left out with the password, because the driver takes a password from there too.
 */
export function databaseName(databaseUrl: string): string {
  if (databaseUrl.startsWith('sqlite:')) return `sqlite:${sqliteFile(databaseUrl) ?? ':memory:'}`
  const { protocol, username, host, pathname } = new URL(databaseUrl)
  return `${protocol}//${username ? `${username}@` : ''}${host}${pathname}`
}

/** The absolute path of an embedded database's file; undefined for a server or an in-memory database. */
export function sqliteFile(databaseUrl: string): string | undefined {
  if (!databaseUrl.startsWith('sqlite:')) return undefined
  const path = databaseUrl.slice('sqlite:'.length)
  return path === ':memory:' ? undefined : resolve(path)
}
