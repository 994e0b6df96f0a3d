const FIRST_MS = 2_000
const LONGEST_MS = 5 * 60_000
/** More than any sane Retry-After, and less than the 24 days at which setTimeout overflows and fires at once. */
const LONGEST_ASKED_MS = 60 * 60_000

/**
 * How long to wait after the n-th failure in a row: 2, 4, 8 … s, 5 min at most, of which half is left to chance so that
 * the phones of an outage do not all come back at once. A Retry-After of the server is never undercut.
 *
 * @param {number} failures 1 for the first
 * @param {number | undefined} retryAfterS
 * @param {() => number} random from 0 to 1
 * @returns {number} in ms
 */
function retryDelayMs(failures, retryAfterS, random) {
  const ceiling = Math.min(FIRST_MS * 2 ** (failures - 1), LONGEST_MS)
  const backoff = ceiling * (0.5 + random() / 2)
  if (retryAfterS === undefined) return backoff
  return Math.max(backoff, Math.min(retryAfterS * 1_000, LONGEST_ASKED_MS) + FIRST_MS * random())
}

module.exports = { retryDelayMs }
