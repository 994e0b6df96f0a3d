/**
 * Whether decodeURIComponent accepts this part of a URL. It throws at a % that does not begin a valid escape.
 */
export function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
