import { Ajv, type AnySchema, type ErrorObject, type Options, type ValidateFunction } from 'ajv'
import type { FastifyInstance } from 'fastify'
import { ServiceError } from '../errors.js'
import { didYouMean } from '../lib/did-you-mean.js'

/** One thing that is wrong with what a caller sent. */
export interface Fault {
  /** Where: `items.3.open_id`, or `body` for the whole. */
  field: string
  message: string
}

/** What Fastify throws for a body or a query that breaks its schema. */
export class InvalidInput extends Error {
  constructor(readonly faults: [Fault, ...Fault[]]) {
    super(faults.map(({ field, message }) => `${field}: ${message}`).join('; '))
  }
}

const MAX_FAULTS_TOLD = 20

/** `field` is that of the first fault; where there are several, `faults` has them all, or the first twenty. */
export function invalidRequest([first, ...others]: [Fault, ...Fault[]]): ServiceError {
  const message = `${first.field}: ${first.message}`
  if (others.length === 0) return new ServiceError('invalid_request', message, { field: first.field })
  const all = [first, ...others]
  return new ServiceError('invalid_request', `${message}, and ${others.length} more: see details.faults`, {
    field: first.field,
    faults: all.slice(0, MAX_FAULTS_TOLD),
    ...(all.length > MAX_FAULTS_TOLD ? { more: all.length - MAX_FAULTS_TOLD } : {}),
  })
}

/** What a caller sends is accepted as it is or refused, never coerced. A user_id may be a number or digits. */
const OPTIONS: Options = {
  coerceTypes: false,
  removeAdditional: false,
  useDefaults: false,
  allowUnionTypes: true,
  // For the API description: examples with names, what a number counts, what stands there in place of conditions.
  keywords: ['x-examples', 'x-unit', 'x-described'],
  formats: { 'date-time': true },
}

const quick = new Ajv(OPTIONS)
const thorough = new Ajv({ ...OPTIONS, allErrors: true, verbose: true })

/** A list that is longer than this is not gone through to the end: a megabyte may have half a million faults. */
const MAX_FAULTS_FROM = 1_000

/** Refuses what breaks the schema of a route, with all its faults. */
export function validateInput(app: FastifyInstance): void {
  app.setValidatorCompiler<AnySchema>(({ schema }) => {
    const faultsIn = validatorOf(schema)
    return (data: unknown) => {
      const faults = faultsIn(data)
      return faults ? { error: new InvalidInput(faults) } : true
    }
  })
}

/**
 * Makes a function that tells what is wrong with its argument; undefined: nothing. It looks with a validator that stops
 * at the first fault, which is quick; and at what has one once more, for all of its faults.
 */
export function validatorOf(schema: AnySchema): (data: unknown) => [Fault, ...Fault[]] | undefined {
  const isValid = quick.compile(schema)
  let findAll: ValidateFunction | undefined
  return (data) => {
    if (isValid(data)) return undefined
    if (longestList(data) > MAX_FAULTS_FROM) return faultsOf(isValid.errors ?? [])
    findAll ??= thorough.compile(schema)
    findAll(data)
    return faultsOf(findAll.errors ?? [])
  }
}

function longestList(data: unknown): number {
  if (typeof data !== 'object' || data === null) return 0
  return Math.max(0, ...Object.values(data).map((value) => (Array.isArray(value) ? value.length : 0)))
}

function faultsOf(errors: ErrorObject[]): [Fault, ...Fault[]] {
  // `if` says only that the branch for one item or that for a batch has faults, which are there too.
  const [first, ...others] = errors.filter(({ keyword }) => keyword !== 'if').map(faultOf)
  return [first ?? { field: 'body', message: 'is not valid' }, ...others]
}

function faultOf(error: ErrorObject): Fault {
  const { instancePath, keyword, params } = error
  const named = keyword === 'required' ? params.missingProperty : params.additionalProperty
  const path = named === undefined ? instancePath : `${instancePath}/${named}`
  return { field: path.slice(1).replaceAll('/', '.') || 'body', message: messageOf(error) }
}

function messageOf({ keyword, params, message = 'is not valid', parentSchema, data }: ErrorObject): string {
  if (keyword === 'required') return 'is missing'
  if (keyword === 'additionalProperties') {
    const known = Object.keys(parentSchema?.properties ?? {})
    return `is not known here${didYouMean(String(params.additionalProperty), known)}`
  }
  if (keyword === 'minimum' && parentSchema?.['x-unit'] === 'ms' && typeof data === 'number' && data > 0)
    return `looks like seconds: send milliseconds, such as ${data * 1_000}`
  return message
}
