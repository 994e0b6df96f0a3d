/** A time in ms as JSON answers have it: ISO 8601 in UTC. */
export function isoTime(ms: number): string
export function isoTime(ms: number | null | undefined): string | null
export function isoTime(ms: number | null | undefined): string | null {
  return ms === null || ms === undefined ? null : new Date(ms).toISOString()
}
