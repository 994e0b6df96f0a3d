import { spawnSync } from 'node:child_process'
import { inject } from 'vitest'

/** What promtool says, and its exit code: 0 when all is well, 3 for what it only advises against. */
export function promtool(args: string[], input = ''): { code: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync(inject('promtool'), args, { input, encoding: 'utf8' })
  return { code: status, said: stdout + stderr }
}
