import { Type } from 'typebox'

/** Field types that several routes share. */

export const OpenId = Type.String({
  minLength: 1,
  maxLength: 100,
  pattern: '^[\\x21-\\x7e]+$',
  description: "WeChat's id of the user in this app",
})

export const UserId = Type.Integer({
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
  description: "The owner's number of the user",
})

export const IsoDate = Type.String({
  pattern: '^\\d{4}-\\d{2}-\\d{2}$',
  description: 'Day as YYYY-MM-DD',
  examples: ['2026-11-20'],
})
