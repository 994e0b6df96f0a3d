import type { Account } from '../account.js'
import { ConfigError } from '../errors.js'
import { parseCron } from '../lib/cron.js'
import { isWebAddress } from '../messages/opening.js'

interface Values {
  WX_CHANNEL: Account['channel']
  REMINDER_PAGE: string
  REMINDER_URL: string
  REMINDER_MINIPROGRAM: { appid: string }
  REMIND_CRON: string
  SEND_UNTIL: Account['sendUntil']
  WEBHOOK_URL: string
  WEBHOOK_SECRET: string[]
}

/** Throws ConfigError if settings of an account, each of them right, are wrong together. */
export function assertFitTogether(values: Values): void {
  const faults = [...windowFaults(values), ...webhookFaults(values), ...tapFaults(values)]
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

/** What a tap opens differs by channel; a setting of another one would be passed over, and only the users would notice. */
function tapFaults({ WX_CHANNEL, REMINDER_PAGE, REMINDER_URL, REMINDER_MINIPROGRAM }: Values): string[] {
  if (WX_CHANNEL === 'official')
    return REMINDER_PAGE === ''
      ? []
      : [
          'REMINDER_PAGE: a service account has no pages: remove it, and set REMINDER_MINIPROGRAM to ' +
            `{"appid":"wx…","pagepath":${JSON.stringify(REMINDER_PAGE)}}, or REMINDER_URL`,
        ]
  const given = { REMINDER_URL, REMINDER_MINIPROGRAM: REMINDER_MINIPROGRAM.appid }
  return [
    ...Object.entries(given)
      .filter(([, value]) => value !== '')
      .map(
        ([name]) =>
          `${name}: a message of channel ${WX_CHANNEL} opens a page of its own mini-program: remove it, and set REMINDER_PAGE`,
      ),
    ...(isWebAddress(REMINDER_PAGE)
      ? [
          'REMINDER_PAGE: is a web address; a mini-program opens its own pages alone, such as pages/sign-in/index',
        ]
      : []),
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
