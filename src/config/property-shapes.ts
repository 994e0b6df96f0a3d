import { MAX_STREAK } from '../messages/text.js'
import { REFERENCE } from './references.js'

export type JsonSchema = Readonly<Record<string, unknown>>

/** Of which type a property of ACCOUNTS_FILE is. */
export interface Shape {
  schema: JsonSchema
  /** Whether it may be a reference in place of the secret, see references.ts. */
  isSecret: boolean
  /** As the variable of the environment has it, for the same parser. Throws with the reason if that is impossible. */
  toText(value: unknown): string
}

export function text(pattern?: RegExp): Shape {
  const schema = { type: 'string', minLength: 1, ...(pattern ? { pattern: pattern.source } : {}) }
  return { schema, isSecret: false, toText: asText }
}

/** One of the texts that the setting may have. */
export function choice(setting: { choices?: readonly unknown[]; default?: unknown }): Shape {
  return { schema: { enum: setting.choices, default: setting.default }, isSecret: false, toText: asText }
}

export function secret(pattern?: RegExp): Shape {
  const alternatives = pattern ? { anyOf: [{ pattern: REFERENCE }, { pattern: pattern.source }] } : {}
  return { schema: { type: 'string', minLength: 1, ...alternatives }, isSecret: true, toText: asText }
}

export function wholeNumber(minimum: number, maximum: number): Shape {
  return {
    schema: { type: 'integer', minimum, maximum },
    isSecret: false,
    toText(value) {
      if (typeof value !== 'number') throw new Error('must be a number, without quotes')
      return String(value)
    },
  }
}

export function rate(): Shape {
  return {
    schema: { anyOf: [{ type: 'number', exclusiveMinimum: 0 }, { const: 'unlimited' }] },
    isSecret: false,
    toText(value) {
      if (value !== 'unlimited' && typeof value !== 'number')
        throw new Error('must be a number, without quotes, or "unlimited"')
      return String(value)
    },
  }
}

/** Ids of WeChat, which the variable separates by commas. */
export function ids(): Shape {
  return {
    schema: {
      type: 'array',
      minItems: 1,
      items: { type: 'string', pattern: '^[\\x21-\\x2b\\x2d-\\x7e]{1,64}$' },
    },
    isSecret: false,
    toText(value) {
      if (!Array.isArray(value) || value.length === 0)
        throw new Error('must be a list of ids such as ["id-1", "id-2"]')
      const withComma = value.find((item) => asText(item).includes(','))
      const withBlank = value.find((item) => /^\s|\s$/.test(item))
      if (withComma !== undefined) throw new Error(`"${withComma}" has a comma: quote each id by itself`)
      if (withBlank !== undefined)
        throw new Error(`${JSON.stringify(withBlank)} has blanks around it: take them out`)
      return value.join(',')
    },
  }
}

/** An object, which the variable holds as JSON. */
export function object(schema: JsonSchema): Shape {
  return {
    schema,
    isSecret: false,
    toText(value) {
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        throw new Error('must be an object')
      return JSON.stringify(value)
    },
  }
}

/** Key of a template to a text, or to texts of which the first that fits the user's streak is taken. */
export const TEMPLATE_DATA: JsonSchema = {
  type: 'object',
  minProperties: 1,
  additionalProperties: {
    anyOf: [
      { type: 'string', minLength: 1 },
      {
        type: 'array',
        minItems: 1,
        items: {
          type: 'object',
          properties: {
            min_streak: { type: 'integer', minimum: 1, maximum: MAX_STREAK },
            text: { type: 'string', minLength: 1 },
          },
          required: ['text'],
          additionalProperties: false,
        },
      },
    ],
  },
}

export const MINIPROGRAM: JsonSchema = {
  type: 'object',
  properties: { appid: { type: 'string', minLength: 1 }, pagepath: { type: 'string' } },
  required: ['appid'],
  additionalProperties: false,
}

function asText(value: unknown): string {
  if (typeof value !== 'string') throw new Error('must be a text in quotes')
  if (value === '') throw new Error('is empty: write a value, or leave it out')
  return value
}
