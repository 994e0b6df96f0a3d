import { afterAll, beforeAll, beforeEach, type MockInstance, vi } from 'vitest'

export interface RecordedLog {
  /** The lines of an event since the test began. */
  lines(event: string): Record<string, unknown>[]
  text(): string
}

/** What services log in this file or describe. It goes to stderr, and is kept from there. Call it before useService. */
export function recordedLog(): RecordedLog {
  let text = ''
  let spy: MockInstance | undefined
  beforeAll(() => {
    spy = vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
      text += String(chunk)
      return true
    })
  })
  beforeEach(() => {
    text = ''
  })
  afterAll(() => spy?.mockRestore())
  return {
    lines: (event) =>
      text
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .filter((line) => line.event === event),
    text: () => text,
  }
}
