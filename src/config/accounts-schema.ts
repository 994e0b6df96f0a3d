import { SCOPES } from '../http/api-keys.js'
import { ACCOUNT_PROPERTIES, REQUIRED } from './account-properties.js'
import { PATTERN } from './parsers.js'
import type { JsonSchema } from './property-shapes.js'

export const HASH = /^sha256:[0-9a-f]{64}$/
/** A moment with its offset, which a day without a zone would not be. */
export const MOMENT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/

const API_KEY = {
  type: 'object',
  properties: {
    name: { type: 'string', pattern: '^\\S(.{0,62}\\S)?$', description: 'who calls with it（调用方名称）' },
    hash: {
      type: 'string',
      pattern: HASH.source,
      description: 'as hash-key prints it（hash-key 打印的哈希）',
    },
    accounts: {
      description: 'app_ids, or "all"（能用于哪些账号）',
      anyOf: [
        { const: 'all' },
        {
          type: 'array',
          minItems: 1,
          uniqueItems: true,
          items: { type: 'string', pattern: PATTERN.wechatId.source },
        },
      ],
    },
    scopes: {
      description: 'what it may do（权限）',
      type: 'array',
      minItems: 1,
      uniqueItems: true,
      items: { enum: SCOPES },
    },
    expires_at: {
      type: 'string',
      pattern: MOMENT.source,
      description: 'from then on it is refused, e.g. 2027-01-31T00:00:00Z（何时失效）',
    },
  },
  required: ['name', 'hash', 'accounts', 'scopes'],
  additionalProperties: false,
}

/**
 * What an editor checks ACCOUNTS_FILE by, published as docs/accounts.schema.json. Whatever the reader takes, it takes;
 * what it cannot say (time zones, cron expressions, secrets that are weak or missing, account ids that stand twice) the
 * reader alone refuses.
 */
export function accountsSchema(): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'ACCOUNTS_FILE',
    type: 'object',
    properties: {
      $schema: { type: 'string' },
      accounts: { type: 'array', minItems: 1, items: accountSchema() },
      api_keys: { type: 'array', items: API_KEY },
    },
    required: ['accounts'],
    additionalProperties: false,
  }
}

function accountSchema(): JsonSchema {
  const top: Record<string, JsonSchema> = {}
  const groups = new Map<string, Record<string, JsonSchema>>()
  for (const { path, schema, about } of Object.values(ACCOUNT_PROPERTIES)) {
    const described = { description: `${about.en}（${about.zh}）`, ...schema }
    const [first = '', second] = path.split('.')
    if (second === undefined) top[first] = described
    else groups.set(first, { ...groups.get(first), [second]: described })
  }
  for (const [name, properties] of groups)
    top[name] = { type: 'object', properties, ...NEEDS[name], additionalProperties: false }
  return {
    type: 'object',
    properties: top,
    required: REQUIRED.map((variable) => ACCOUNT_PROPERTIES[variable].path),
    additionalProperties: false,
    ...TAP,
  }
}

/** What a tap on the reminder opens: of a service account a web page or a mini-program, of a mini-program its page. */
const TAP: JsonSchema = {
  if: { properties: { channel: { const: 'official' } }, required: ['channel'] },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: { properties: { reminder: { properties: { page: false } } } },
  else: { properties: { reminder: { properties: { url: false, miniprogram: false } } } },
}

/** Groups whose properties go together. */
const NEEDS: Record<string, JsonSchema> = {
  webhook: { dependentRequired: { url: ['secret'], secret: ['url'] } },
}
