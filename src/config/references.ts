import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Environment, readSecretFile } from './secret-files.js'

/** `${NAME}` for a variable of the environment, `file:path` for a file: as a JSON Schema has it. */
export const REFERENCE = '^(\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}|file:.+)$'

/** The variable that `${NAME}` names; undefined for any other text. */
export function variableIn(text: string): string | undefined {
  return /^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$/.exec(text)?.[1]
}

export const isReference = (text: string): boolean => new RegExp(REFERENCE).test(text)

/**
 * The secret that a property holds, or that it refers to. A path begins at `folder`, where the accounts file is; the
 * line break at the end of a file does not belong to the secret. Throws with the reason, which names the variable or the
 * file and nothing of a secret.
 */
export function resolveSecret(text: string, { env, folder }: { env: Environment; folder: string }): string {
  const variable = variableIn(text)
  if (variable !== undefined) {
    const value = env[variable]
    if (!value) throw new Error(`refers to ${variable}, which the environment does not have`)
    return value
  }
  if (text.startsWith('file:')) {
    const path = text.slice('file:'.length)
    if (path === '') throw new Error('names no file: write file:/path')
    const file = resolve(folder, path)
    // A pipe or a device would keep a process that serves from all its work, when it reads the file again.
    if (!statSync(file).isFile()) throw new Error(`refers to ${path}, which is not a file`)
    const secret = readSecretFile(file)
    if (secret === '') throw new Error(`refers to ${path}, which is empty`)
    return secret
  }
  if (text.includes('${') || text.startsWith('$'))
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it shows what to write.
    throw new Error('must be the secret itself, or ${NAME} alone for a variable of the environment')
  return text
}
