import type { ErrorObject } from 'ajv'
import { didYouMean } from '../lib/did-you-mean.js'

/** One thing that is wrong with what a caller sent. */
export interface Fault {
  /** Where: `items.3.open_id`, or `body` for the whole. */
  field: string
  message: string
}

/** What Ajv found, for people. */
export function faultOf(error: ErrorObject): Fault {
  const { instancePath, keyword, params, propertyName } = error
  const named = keyword === 'required' ? params.missingProperty : (params.additionalProperty ?? propertyName)
  const path = named === undefined ? instancePath : `${instancePath}/${named}`
  return { field: path.slice(1).replaceAll('/', '.') || 'body', message: messageOf(error) }
}

/** `parentSchema` and `data` are there in a thorough look only. */
function messageOf(error: ErrorObject): string {
  const { keyword, params, message = 'is not valid', parentSchema, data, propertyName } = error
  if (propertyName !== undefined) return `the name ${message}`
  if (keyword === 'required') return 'is missing'
  if (keyword === 'additionalProperties')
    return `is not known here${meant(String(params.additionalProperty), parentSchema)}`
  if (keyword === 'type') return mustBe([params.type].flat())
  if (keyword === 'anyOf') return mustBe(parentSchema?.anyOf?.map((kind: { type?: unknown }) => kind.type))
  if (keyword === 'enum') {
    const allowed = params.allowedValues.map(String)
    return `must be one of ${allowed.join(', ')}${didYouMean(String(data), allowed)}`
  }
  if (keyword === 'pattern' && parentSchema?.description) return `${message} (${parentSchema.description})`
  if (keyword === 'minimum' && parentSchema?.['x-unit'] === 'ms' && typeof data === 'number' && data > 0)
    return `looks like seconds: send milliseconds, such as ${Math.round(data * 1_000)}`
  return message
}

function meant(name: string, schema: ErrorObject['parentSchema']): string {
  const field = schema?.['x-meant']?.[name]
  return field === undefined ? didYouMean(name, namesIn(schema)) : `; did you mean "${field}"?`
}

/** Those of its fields, and of the other shape that the body could have. */
function namesIn(schema: ErrorObject['parentSchema']): string[] {
  return [...Object.keys(schema?.properties ?? {}), ...(schema?.['x-other-fields'] ?? [])]
}

const KINDS: Record<string, string> = {
  string: 'a string',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  object: 'an object',
  array: 'an array',
}

function mustBe(types: unknown[] = []): string {
  return `must be ${types.map((type) => KINDS[String(type)] ?? String(type)).join(' or ')}`
}

/**
 * One fault may be reported several times. `if` says only that the branch for one item or that for a batch has faults, and
 * `propertyNames` that a name has one: they are there too. A value of the wrong type has no other fault. For a value that
 * may be of several kinds there is a fault of each kind, and one of `anyOf`: where the value is of one of the kinds, what
 * counts is what is wrong with it as that; else `anyOf` says it all.
 */
export function withoutEchoes(errors: ErrorObject[]): ErrorObject[] {
  const branches = errors.flatMap(({ keyword, schemaPath }) =>
    keyword === 'anyOf' ? [`${schemaPath}/`] : [],
  )
  const isInBranch = ({ schemaPath }: ErrorObject): boolean =>
    branches.some((branch) => schemaPath.startsWith(branch))
  const known = new Set(
    errors.flatMap((error) => (error.keyword !== 'type' && isInBranch(error) ? [error.instancePath] : [])),
  )
  const ofWrongType = new Set<string>()
  return errors.filter((error) => {
    const { keyword, instancePath } = error
    if (keyword === 'if' || keyword === 'propertyNames') return false
    if (keyword === 'anyOf') return !known.has(instancePath)
    if (isInBranch(error)) return keyword !== 'type'
    if (ofWrongType.has(instancePath)) return false
    if (keyword === 'type') ofWrongType.add(instancePath)
    return true
  })
}
