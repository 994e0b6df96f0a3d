import { createHmac } from 'node:crypto'
import { createLogger } from '../../src/lib/logger.js'
import type { WebhookPayload } from '../../src/webhooks/payload.js'
import { setWebhook } from '../../src/webhooks/store.js'
import { createWebhookWorker, type WebhookDeps, type WebhookWorker } from '../../src/webhooks/worker.js'
import type { Asked, WechatStub } from './wechat.js'
import type { World } from './world.js'

export const SECRET = 'secret-of-the-webhook-0123456789abcdef'

/** For tests of a receiver that hangs: enough for one that does not, on a busy machine. */
export const PATIENCE_MS = 1_500

/** A process that tells the backend of a world's account, which has a webhook from now on. */
export async function startWebhooks(
  world: Pick<World, 'db' | 'account' | 'clock' | 'logged'>,
  receiver: Pick<WechatStub, 'url'>,
  changes: Partial<WebhookDeps> = {},
): Promise<WebhookWorker> {
  const { appId } = world.account
  await setWebhook(world.db, appId, true, world.clock.now())
  return createWebhookWorker({
    db: world.db,
    appId,
    webhook: { url: `${receiver.url}/messages?from=reminder`, secrets: [SECRET] },
    log: createLogger({
      level: 'debug',
      secrets: [],
      output: { write: (line) => world.logged.push(line) },
    }),
    now: world.clock.now,
    ...changes,
  })
}

/** What a receiver was told. */
export const toldOf = ({ json }: Asked): WebhookPayload => json as WebhookPayload

/** Signatures as the text of Standard Webhooks has them, of a key in bytes. */
export function signatureOf(key: Buffer | string, { headers, body }: Asked): string {
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
  return `v1,${createHmac('sha256', key).update(signed).digest('base64')}`
}
