/** Whether decodeURIComponent takes this part of a URL. It throws at a % that stands for nothing. */
export function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
