/** Keys in ascending order, each once: the order in which rows are locked. */
export function sortedUnique<Key extends string | number | bigint>(keys: Iterable<Key>): Key[] {
  return [...new Set(keys)].sort(compareKeys)
}

/** For sort: a - b works neither for text nor between numbers and bigints. */
export function compareKeys<Key extends string | number | bigint>(a: Key, b: Key): number {
  return a < b ? -1 : a > b ? 1 : 0
}
