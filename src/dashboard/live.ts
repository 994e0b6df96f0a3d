import { Readable } from 'node:stream'
import { ServiceError } from '../errors.js'
import { SECOND_MS } from '../lib/durations.js'
import type { Logger } from '../lib/logger.js'
import { LANGUAGES, type Language } from './preferences.js'

const POLL_MS = SECOND_MS
/** A connection without a byte is closed after 120 s, by us or by a proxy. */
const HEARTBEAT_POLLS = 15
/** More tabs than operators have. */
const MAX_STREAMS = 200
/** A reader who takes nothing for so long is let go; the browser connects again. */
const MAX_UNREAD_BYTES = 256 * 1024

/** What readers of one language see. */
export interface Drawn {
  state: string
  /** Markup by the name of the part that it fills. */
  parts: Record<string, string>
}

/** Server-sent events for everybody who looks at Today: one poll of the database for all of them. */
export interface Live {
  /** A stream until `endsAt`, when the session is over. Throws `overloaded` if there are too many. */
  open(language: Language, endsAt: number): Readable
  /** Ends all streams. */
  close(): void
}

interface Reader {
  language: Language
  stream: Readable
  endsAt: number
}

export function createLive(deps: {
  /** Reads the state and draws it for each language. */
  draw(): Promise<Record<Language, Drawn>>
  /** Of the account that is drawn, for the log. */
  appId: string
  log: Logger
  now(): number
  pollMs?: number
}): Live {
  const { draw, appId, log, now, pollMs = POLL_MS } = deps
  const readers = new Set<Reader>()
  let last: Partial<Record<Language, string>> = {}
  let timer: NodeJS.Timeout | undefined
  let isPolling = false
  let isFailing = false
  let polls = 0

  async function poll(): Promise<void> {
    if (isPolling) return
    isPolling = true
    try {
      const drawn = await draw()
      for (const language of LANGUAGES) {
        const event = eventOf('status', drawn[language])
        if (event !== last[language]) send(event, (reader) => reader.language === language)
        last[language] = event
      }
      isFailing = false
    } catch (error) {
      // One line, however long the database is away. The pages stay as they are.
      if (!isFailing)
        log.warn(
          { event: 'dashboard.live_failed', app_id: appId, err: error },
          'the live page cannot be drawn',
        )
      isFailing = true
    } finally {
      isPolling = false
    }
  }

  function send(text: string, isFor: (reader: Reader) => boolean): void {
    for (const reader of readers) {
      if (!isFor(reader)) continue
      if (reader.stream.readableLength > MAX_UNREAD_BYTES) reader.stream.destroy()
      else reader.stream.push(text)
    }
  }

  function tick(): void {
    for (const reader of readers) if (now() >= reader.endsAt) end(reader)
    if (++polls % HEARTBEAT_POLLS === 0) send(': still here\n\n', () => true)
    void poll()
  }

  function end({ stream }: Reader): void {
    stream.push(eventOf('bye', {}))
    stream.push(null)
  }

  function leave(reader: Reader): void {
    readers.delete(reader)
    if (readers.size > 0) return
    clearInterval(timer)
    timer = undefined
    last = {}
  }

  return {
    open(language, endsAt) {
      if (readers.size >= MAX_STREAMS)
        throw new ServiceError('overloaded', 'Too many pages are open; try again shortly')
      const stream = new Readable({ read() {} })
      const reader = { language, stream, endsAt }
      readers.add(reader)
      stream.on('close', () => leave(reader))
      stream.push('retry: 2000\n\n')
      const known = last[language]
      if (known !== undefined) stream.push(known)
      if (timer === undefined) {
        timer = setInterval(tick, pollMs)
        void poll()
      }
      return stream
    },
    close() {
      for (const reader of readers) reader.stream.push(null)
    },
  }
}

/** JSON has no line breaks, which would end a field. */
function eventOf(name: string, data: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}
