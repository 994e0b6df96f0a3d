import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import { dialects, useDatabase } from '../helpers/database.js'
import { hang, json, startWechatStub, type WechatStub } from '../helpers/wechat.js'

// @module-tag programs

interface TokenProcess {
  child: ChildProcess
  /** Lets it ask; resolves with the token that it got. */
  ask(): Promise<string>
}

describe.each(dialects)('processes on %s', (dialect) => {
  const database = useDatabase(dialect)
  let stub: WechatStub
  let started: TokenProcess[] = []

  beforeEach(async () => {
    stub = await startWechatStub()
    let given = 0
    stub.otherwise((response, asked) => {
      setTimeout(() => json({ access_token: `token-${++given}`, expires_in: 7200 })(response, asked), 30)
    })
  })
  afterEach(async () => {
    for (const { child } of started) child.kill('SIGKILL')
    started = []
    await stub.close()
  })

  async function startProcess(leaseMs: number): Promise<TokenProcess> {
    const args = [inject('tokenProcess'), database.url, stub.url, String(leaseMs)]
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    const lines = createInterface({ input: child.stdout })
    await once(lines, 'line')
    const tokenProcess = {
      child,
      ask: async () => {
        const answered = once(lines, 'line')
        child.stdin.write('go\n')
        const [line] = await answered
        return JSON.parse(line).token
      },
    }
    started.push(tokenProcess)
    return tokenProcess
  }

  test('processes that start together fetch one token among them', async () => {
    const processes = await Promise.all([1, 2, 3].map(() => startProcess(10_000)))
    expect(await Promise.all(processes.map((tokenProcess) => tokenProcess.ask()))).toEqual([
      'token-1',
      'token-1',
      'token-1',
    ])
    expect(stub.asked).toHaveLength(1)
  })

  test('processes go on without one that was killed while it was fetching', async () => {
    const [victim, heir] = await Promise.all([startProcess(400), startProcess(60_000)])
    stub.next(hang)
    victim.ask().catch(() => {})
    await stub.arrived(1)
    victim.child.kill('SIGKILL')
    expect(await heir.ask()).toBe('token-1')
    expect(stub.asked).toHaveLength(2)
  })
})
