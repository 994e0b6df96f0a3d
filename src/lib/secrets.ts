/**
 * Sample values from our documents, which everybody knows. A test that reads the documents keeps this list
 * complete.
 */
const SAMPLES = new Set([
  'a-long-random-text',
  'replace-me-with-32-or-more-random-characters',
  'ReplaceMeBy3To32Letters',
  'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG',
])
const MIN_DIFFERENT = 5

/**
 * Throws if somebody else might know or guess a secret, and says why and how to make a better one; the
 * message contains nothing of the secret.
 */
export function refuseWeak(
  secret: string,
  minLength: number,
  make = 'make one with "openssl rand -hex 32"',
): void {
  if (secret.length < minLength) throw new Error(`needs at least ${minLength} characters; ${make}`)
  if (SAMPLES.has(secret)) throw new Error(`is a sample from the public documentation; ${make}`)
  if (new Set(secret).size < MIN_DIFFERENT) throw new Error(`repeats a few characters; ${make}`)
}
