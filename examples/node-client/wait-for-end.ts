import { setTimeout as pause } from 'node:timers/promises'
import type { Message, ReminderClient } from './client.js'

const OPEN: Message['state'][] = ['queued', 'sending', 'retry']
const LONGEST_PAUSE_MS = 30_000

/**
 * Asks for messages until none of them waits or is being sent, first after 0.2 s and then less and less often. Answers
 * how they stand, in the order of the ids; those that are still open when `timeoutMs` is over are told as such.
 */
export async function waitForEnd(
  client: ReminderClient,
  ids: number[],
  timeoutMs = 5 * 60_000,
): Promise<Message[]> {
  const last = Date.now() + timeoutMs
  const messages = new Map<number, Message>()
  for (let ms = 200; ; ms = Math.min(2 * ms, LONGEST_PAUSE_MS)) {
    await pause(Math.min(ms, Math.max(0, last - Date.now())))
    for (const id of ids.filter((id) => isOpen(messages.get(id))))
      messages.set(id, await client.getMessage(id))
    if (Date.now() >= last || ![...messages.values()].some(isOpen))
      return ids.flatMap((id) => messages.get(id) ?? [])
  }
}

function isOpen(message: Message | undefined): boolean {
  return message === undefined || OPEN.includes(message.state)
}
