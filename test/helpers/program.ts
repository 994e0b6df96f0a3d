import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

export interface Program {
  /** For `node <main> serve`, as `npm run cli` is for the sources. */
  main: string
  /** helpers/token-process.ts, for `node <tokenProcess>`. */
  tokenProcess: string
  remove(): void
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/**
 * The command line in JavaScript: it starts in a third of the time that the loader for TypeScript takes, and
 * the tests start it a hundred times, a long chaos thousands. Inside the project, so that packages left outside the
 * files are found.
 */
export async function buildProgram(): Promise<Program> {
  const folder = mkdtempSync(join(ROOT, 'node_modules', '.test-program-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  try {
    await build({
      root: ROOT,
      configFile: false,
      logLevel: 'warn',
      // These find parts of themselves by computed names or by their folder.
      ssr: {
        noExternal: true,
        external: ['knex', 'libsql', 'mysql2', '@fastify/swagger', '@fastify/swagger-ui'],
      },
      build: {
        ssr: true,
        outDir: folder,
        target: 'node20',
        minify: false,
        rolldownOptions: {
          input: { main: 'src/main.ts', 'token-process': 'test/helpers/token-process.ts' },
          output: { entryFileNames: '[name].js', chunkFileNames: '[name].js', format: 'esm' },
        },
      },
    })
    // Read at the start, from beside the program.
    cpSync(join(ROOT, 'src/dashboard/assets'), join(folder, 'assets'), { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    return { main: join(folder, 'main.js'), tokenProcess: join(folder, 'token-process.js'), remove }
  } catch (error) {
    remove()
    throw error
  }
}
