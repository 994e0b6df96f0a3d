/** The name of these that somebody may have meant, if one is near: two signs amiss, or a third of a short name. */
function nearestOf(written: string, names: readonly string[]): string | undefined {
  const limit = Math.min(2, Math.ceil(written.length / 3))
  let nearest: string | undefined
  let best = limit + 1
  for (const name of names) {
    const far = distance(flat(written), flat(name), best)
    if (far < best) [nearest, best] = [name, far]
  }
  return nearest
}

/** `; did you mean "app_id"?`, or nothing. */
export function didYouMean(written: string, names: readonly string[]): string {
  const name = nearestOf(written, names)
  return name === undefined ? '' : `; did you mean "${name}"?`
}

/** appId, app-id and APP_ID are near to app_id. */
const flat = (name: string): string => name.toLowerCase().replace(/[_-]/g, '')

/** Levenshtein's: signs to insert, leave out or exchange. A number of at least `enough` may be any that is. */
function distance(a: string, b: string, enough: number): number {
  if (Math.abs(a.length - b.length) >= enough) return enough
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const exchanged = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(exchanged, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? enough
}
