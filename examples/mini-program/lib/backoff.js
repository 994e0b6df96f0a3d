const FIRST_MS = 2_000
const LONGEST_MS = 5 * 60_000
/** More than any sane Retry-After, and less than the 24 days at which setTimeout overflows and fires at once. */
const LONGEST_ASKED_MS = 60 * 60_000

/**
 * How long to wait after the n-th failure in a row: 2, 4, 8 … s, 5 min at most. Half of it is random, so that
 * phones do not all come back at once after an outage. The wait is never shorter than the server's
 * Retry-After.
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
