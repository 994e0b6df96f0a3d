import type { Account } from '../account.js'
import { ConfigError } from '../errors.js'
import { parseCron } from '../lib/cron.js'

interface Values {
  REMIND_CRON: string
  SEND_UNTIL: Account['sendUntil']
  WEBHOOK_URL: string
  WEBHOOK_SECRET: string[]
}

/** Throws ConfigError if settings of an account, each of them right, are wrong together. */
export function assertFitTogether(values: Values): void {
  const faults = [...windowFaults(values), ...webhookFaults(values)]
  if (faults.length > 0) throw new ConfigError(faults)
}

/** A run that starts after its window has closed never reminds anybody, and only the users would notice. */
function windowFaults({ REMIND_CRON, SEND_UNTIL }: Values): string[] {
  const { hour, minute } = SEND_UNTIL
  const { hours, minutes } = parseCron(REMIND_CRON)
  const first = { hour: Math.min(...hours), minute: Math.min(...minutes) }
  if (first.hour < hour || (first.hour === hour && first.minute < minute)) return []
  return [
    `REMIND_CRON: "${REMIND_CRON}" first fires at ${clockTime(first)}, after sending ends at SEND_UNTIL ` +
      `(${clockTime(SEND_UNTIL)}): nobody would ever be reminded`,
  ]
}

/** Without a secret, anybody could tell the backend what became of its messages. */
function webhookFaults({ WEBHOOK_URL, WEBHOOK_SECRET }: Values): string[] {
  if ((WEBHOOK_URL === '') === (WEBHOOK_SECRET.length === 0)) return []
  return WEBHOOK_URL === ''
    ? ['WEBHOOK_URL: is not set, and WEBHOOK_SECRET is: set both, or none']
    : ['WEBHOOK_SECRET: is not set, and WEBHOOK_URL is: set both, or none']
}

function clockTime({ hour, minute }: Account['sendUntil']): string {
  return [hour, minute].map((part) => String(part).padStart(2, '0')).join(':')
}
