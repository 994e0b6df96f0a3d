import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { createResolve, type LoadFnOutput, load } from '@oxc-node/core'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
export const DIST = join(ROOT, 'dist')

const IMPORTED = { conditions: ['node', 'import'], importAttributes: {} }

/**
 * Compiles folders of the repository to DIST, and copies what else is in them. It is the compiler of the loader: it checks
 * no types, takes half a second where tsc takes 15, and is there in production too. What is the same already is not
 * touched, so that a process may start while others run, or where nothing may be written.
 */
export function compile(...folders: string[]): void {
  openCompiler()
  for (const folder of folders)
    for (const file of readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })) {
      if (!file.isFile()) continue
      const path = join(file.parentPath, file.name)
      const target = join(DIST, path.slice(ROOT.length))
      if (path.endsWith('.ts')) put(target.replace(/\.ts$/, '.js'), compiled(path))
      else put(target, readFileSync(path))
    }
}

/**
 * The compiler finds its settings, which are in tsconfig.json, while it resolves its first module. Like load() it answers
 * with a promise only where the function that it is handed does.
 */
function openCompiler(): void {
  const { url } = import.meta
  void createResolve({ getCurrentDirectory: () => ROOT }, url, IMPORTED, () => ({ url, format: 'module' }))
}

function compiled(path: string): Buffer {
  const source = readFileSync(path)
  const module = { ...IMPORTED, format: 'module' }
  const output = load(pathToFileURL(path).href, module, () => ({ format: 'module', source }))
  const { source: code } = output as LoadFnOutput
  return Buffer.from(withoutMap(Buffer.from(code ?? '').toString()))
}

/** The map is longer than the code, and a process would keep both. */
function withoutMap(code: string): string {
  return code.replace(/\n\/\/# sourceMappingURL=.*\n?$/, '')
}

function put(target: string, content: Buffer): void {
  if (existsSync(target) && readFileSync(target).equals(content)) return
  mkdirSync(dirname(target), { recursive: true })
  // A process that starts just now finds the old file or the new one.
  const part = `${target}.${process.pid}`
  writeFileSync(part, content)
  renameSync(part, target)
}
