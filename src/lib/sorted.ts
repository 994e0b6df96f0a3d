import { compareUserIds, type UserId } from './user-id.js'

/** Ids in ascending order, each once: the order in which rows are locked. */
export function sortedUnique<Id extends UserId>(ids: Iterable<Id>): Id[] {
  return [...new Set(ids)].sort(compareUserIds)
}
