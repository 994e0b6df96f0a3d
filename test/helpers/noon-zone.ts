/** A time zone in which it is between 12:00 and 13:00 now: the sending window is open whenever the tests run. */
export function noonZone(now = Date.now()): string {
  const east = 12 - new Date(now).getUTCHours()
  if (east === 0) return 'Etc/UTC'
  // POSIX counts westward: Etc/GMT-8 is eight hours ahead of UTC.
  return east > 0 ? `Etc/GMT-${east}` : `Etc/GMT+${-east}`
}
