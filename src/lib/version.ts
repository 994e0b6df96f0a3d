import { existsSync, readFileSync } from 'node:fs'

/** As in package.json: it tells this package's file from others on the way up. */
const NAME = 'wechat-sign-in-reminder'

let known: { version: string; folder: URL } | undefined

/**
 * The version in package.json, which lies above the sources and above the compiled program alike. Read once. An import
 * would do, but Node 20 warns on stderr of each JSON module.
 */
export function programVersion(): string {
  known ??= findPackage()
  return known.version
}

/** Where package.json lies, and docs/ beside it. */
export function programFolder(): URL {
  known ??= findPackage()
  return known.folder
}

function findPackage(): { version: string; folder: URL } {
  for (let folder = new URL('./', import.meta.url); ; folder = new URL('../', folder)) {
    const file = new URL('package.json', folder)
    const { name, version } = existsSync(file)
      ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>)
      : {}
    if (name === NAME && typeof version === 'string') return { version, folder }
    if (folder.pathname === new URL('../', folder).pathname)
      throw new Error(`There is no package.json of ${NAME} above ${import.meta.url}`)
  }
}
