import { ACCOUNT_PROPERTIES, type AccountVariable, REQUIRED } from './account-properties.js'
import type { Faults } from './faults.js'
import { type Members, membersOf } from './members.js'
import { isReference, resolveSecret } from './references.js'
import type { Environment } from './secret-files.js'

/** An account of the file as the environment of a process that serves it alone would be. */
export interface FileAccount {
  variables: Environment
  /** Whether a secret stands in the file itself. */
  hasLiteralSecret: boolean
}

const PROPERTIES = Object.entries(ACCOUNT_PROPERTIES)
const PATHS = PROPERTIES.map(([, { path }]) => path)
const TOP = [...new Set(PATHS.map((path) => path.replace(/\..*/, '')))]
/** Of each group of properties, such as `reminder`, their names. */
const GROUPS = new Map(
  TOP.filter((name) => !PATHS.includes(name)).map((name) => [
    name,
    PATHS.filter((path) => path.startsWith(`${name}.`)).map((path) => path.slice(name.length + 1)),
  ]),
)
/** Names of variables, and of properties that belong into a group. */
const ELSEWHERE = new Map([
  ...PROPERTIES.map(([variable, { path }]) => [variable, path] as const),
  ...[...GROUPS].flatMap(([group, names]) =>
    names.filter((name) => name !== 'url').map((name) => [name, `${group}.${name}`] as const),
  ),
])

/** Translates an account of the file. The values are read by the parsers of the environment later. */
export function readFileAccount(
  value: unknown,
  place: string,
  from: { env: Environment; folder: string },
  faults: Faults,
): FileAccount {
  const variables: Environment = {}
  let hasLiteralSecret = false
  const members = membersOf(value, place, TOP, faults, ELSEWHERE)
  if (members) {
    const given = flatten(members, place, faults)
    for (const [variable, { path, isSecret, toText }] of PROPERTIES) {
      if (!given.has(path)) continue
      faults.catch(`${place}.${path}`, () => {
        const text = toText(given.get(path))
        if (isSecret && !isReference(text)) hasLiteralSecret = true
        variables[variable] = isSecret ? resolveSecret(text, from) : refuseReference(text)
      })
    }
    for (const variable of REQUIRED) {
      const { path } = ACCOUNT_PROPERTIES[variable]
      if (variables[variable] === undefined) faults.add(`${place}.${path}`, 'is not set')
    }
  }
  return { variables, hasLiteralSecret }
}

/** Path of a property -> its value, for those that are there. */
function flatten(members: Members, place: string, faults: Faults): Map<string, unknown> {
  const given = new Map<string, unknown>()
  for (const [name, value] of Object.entries(members)) {
    const names = GROUPS.get(name)
    if (!names) {
      given.set(name, value)
      continue
    }
    const inner = membersOf(value, `${place}.${name}`, names, faults)
    for (const [part, partValue] of Object.entries(inner ?? {})) given.set(`${name}.${part}`, partValue)
  }
  return given
}

function refuseReference(text: string): string {
  if (isReference(text)) throw new Error('must be the value itself: only a secret may be a reference')
  return text
}

/** A fault of the environment's parsers, with variables under the names that they have in the file. */
export function inFile(fault: string, place: string): [place: string, reason: string] {
  const [, variable = '', reason = ''] = /^(\w+): (.*)$/s.exec(fault) ?? []
  const pathOf = (name: string): string | undefined => ACCOUNT_PROPERTIES[name as AccountVariable]?.path
  return [
    `${place}.${pathOf(variable) ?? variable}`,
    reason.replace(/\b[A-Z]+(?:_[A-Z]+)+\b/g, (name) => pathOf(name) ?? name),
  ]
}
