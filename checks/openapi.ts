import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import { readAccount, readConfig } from '../src/config/read.js'
import { startService } from '../src/service.js'

/** Redocly's recommended rules, and what we ask beside them. */
const CONFIG = {
  extends: ['recommended'],
  rules: {
    'no-ambiguous-paths': 'error',
    'no-http-verbs-in-paths': 'error',
    'no-path-trailing-slash': 'error',
    'operation-description': 'error',
    'operation-operationId-unique': 'error',
    'operation-operationId-url-safe': 'error',
    'operation-singular-tag': 'error',
    'operation-tag-defined': 'error',
    'parameter-description': 'error',
    'paths-kebab-case': 'error',
    'response-contains-header': { names: { '2XX': ['X-Request-Id'] } },
    'tag-description': 'error',
    'rule/operationId-is-camelCase': {
      subject: { type: 'Operation', property: 'operationId' },
      assertions: { casing: 'camelCase', defined: true },
    },
    'rule/every-body-has-an-example': {
      subject: { type: 'MediaType' },
      assertions: { requireAny: ['example', 'examples'] },
    },
    'rule/no-catch-all-status': {
      subject: { type: 'Responses', property: ['4XX', '5XX', 'default'] },
      assertions: { defined: false },
    },
  },
} satisfies Parameters<typeof createConfig>[0]

/** The API description as the service gives it: of all calls, on a database that is thrown away. */
export async function readApiDescription(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'reminder-check-'))
  try {
    const env = {
      DATABASE_URL: `sqlite:${join(folder, 'check.db')}`,
      PORT: '0',
      LOG_LEVEL: 'silent',
      WX_APP_ID: 'wx0123456789abcdef',
      SESSION_SECRET: 'only-for-the-check-of-the-description',
    }
    const service = await startService(readConfig(env), { accounts: [readAccount(env)] }, { migrate: true })
    try {
      return JSON.stringify(service.app.swagger(), null, 2)
    } finally {
      await service.stop()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Returns a line for each fault of an API description, errors and warnings alike. */
export async function lintApi(description: string): Promise<string[]> {
  const problems = await lintFromString({
    source: description,
    absoluteRef: 'openapi.json',
    config: await createConfig(CONFIG),
  })
  return problems.map(({ ruleId, message, location: [place] }) => {
    const where = place && 'pointer' in place ? String(place.pointer) : ''
    return `openapi.json ${where} ${message} (${ruleId})`
  })
}
