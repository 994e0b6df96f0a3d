import { Ajv, type AnySchema, type ErrorObject, type Options, type ValidateFunction } from 'ajv'
import type { FastifyInstance } from 'fastify'
import { ServiceError } from '../errors.js'
import { type Fault, faultOf, withoutEchoes } from './fault.js'

/** What is wrong, as far as it is told: twenty faults, and how many there are beside them. */
export interface Faults {
  told: [Fault, ...Fault[]]
  more: number
}

const MAX_FAULTS_TOLD = 20

/** What Fastify throws for a body or a query that breaks its schema. */
export class InvalidInput extends Error {
  constructor(readonly faults: Faults) {
    super(faults.told.map(({ field, message }) => `${field}: ${message}`).join('; '))
  }
}

/** `field` is that of the first fault; where there are several, `faults` has them all, or the first twenty. */
export function invalidRequest({ told, more }: Faults): ServiceError {
  const [{ field, message }] = told
  const others = told.length + more - 1
  if (others === 0) return new ServiceError('invalid_request', `${field}: ${message}`, { field })
  return new ServiceError('invalid_request', `${field}: ${message}, and ${others} more: see details.faults`, {
    field,
    faults: told.slice(0, MAX_FAULTS_TOLD),
    ...(others >= MAX_FAULTS_TOLD ? { more: others + 1 - MAX_FAULTS_TOLD } : {}),
  })
}

/** What a caller sends is accepted as it is or refused, never coerced. A user_id may be a number or digits. */
const OPTIONS: Options = {
  coerceTypes: false,
  removeAdditional: false,
  useDefaults: false,
  allowUnionTypes: true,
  // For the API description: examples with names, what a number counts, what stands there in place of conditions. For
  // messages: which fields the other shape of a body has, and which field is meant by a name of WeChat's.
  keywords: ['x-examples', 'x-unit', 'x-described', 'x-other-fields', 'x-meant'],
  formats: { 'date-time': true },
}

const quick = new Ajv(OPTIONS)
const thorough = new Ajv({ ...OPTIONS, allErrors: true, verbose: true })

/** What holds more than this is not gone through to the end: a megabyte may have half a million faults. */
const MAX_FAULTS_FROM = 1_000

/** Refuses what breaks the schema of a route, with all its faults. */
export function validateInput(app: FastifyInstance): void {
  app.setValidatorCompiler<AnySchema>(({ schema, httpPart }) => {
    const faultsIn = validatorOf(schema)
    return (data: unknown) => {
      const faults = faultsIn(data)
      if (!faults) return true
      return { error: new InvalidInput(httpPart === 'headers' ? ofHeaders(faults) : faults) }
    }
  })
}

/** Whose names could be those of fields in the body. */
function ofHeaders({ told: [first, ...others], more }: Faults): Faults {
  const header = ({ field, message }: Fault): Fault => ({ field, message: `${message}; it is a header` })
  return { told: [header(first), ...others.map(header)], more }
}

/** By the text of their schemas: those of the next app in this process are other objects and read the same. */
const validators = new Map<string, ValidateFunction>()

/** The quick look alone. */
export function isValidBy<Data>(schema: AnySchema): (data: unknown) => data is Data {
  const isValid = quickOf(schema)
  return (data): data is Data => isValid(data)
}

function quickOf(schema: AnySchema): ValidateFunction {
  const text = JSON.stringify(schema)
  const validator = validators.get(text) ?? quick.compile(schema)
  validators.set(text, validator)
  return validator
}

/**
 * Makes a function that tells what is wrong with its argument; undefined: nothing. It looks with a validator that stops
 * at the first fault, which is quick; and at what has one once more, for all of its faults.
 */
export function validatorOf(schema: AnySchema): (data: unknown) => Faults | undefined {
  const isValid = quickOf(schema)
  let findAll: ValidateFunction | undefined
  return (data) => {
    if (isValid(data)) return undefined
    if (isLarge(data)) return faultsOf(isValid.errors ?? [])
    findAll ??= thorough.compile(schema)
    findAll(data)
    return faultsOf(findAll.errors ?? [])
  }
}

function isLarge(data: unknown): boolean {
  if (typeof data !== 'object' || data === null) return false
  const values = Object.values(data)
  const sizes = values.map((value) =>
    typeof value === 'object' && value !== null ? Object.keys(value).length : 0,
  )
  return values.length > MAX_FAULTS_FROM || sizes.some((size) => size > MAX_FAULTS_FROM)
}

function faultsOf(errors: ErrorObject[]): Faults {
  const said = inOrder(withoutEchoes(errors))
  const [first, ...others] = said.slice(0, MAX_FAULTS_TOLD).map(faultOf)
  return {
    told: [first ?? { field: 'body', message: 'is not valid' }, ...others],
    more: Math.max(0, said.length - MAX_FAULTS_TOLD),
  }
}

/** A name that is not known comes first: it says which field was meant, and so why that one is missing. */
function inOrder(errors: ErrorObject[]): ErrorObject[] {
  const isUnknown = ({ keyword }: ErrorObject): boolean => keyword === 'additionalProperties'
  return [...errors.filter(isUnknown), ...errors.filter((error) => !isUnknown(error))]
}
