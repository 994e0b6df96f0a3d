import { expect, test } from 'vitest'
import { signedHeaders } from '../../src/webhooks/signature.js'

/**
 * The example that the libraries of Standard Webhooks are tested with; its JavaScript one (1.1.1) verifies these
 * headers.
 */
const VECTOR = {
  secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  message: { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestamp: 1_614_265_330, body: '{"test": 2432232314}' },
  signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
}

test('a webhook is signed as the published example of Standard Webhooks is', () => {
  const { secret, message, signature } = VECTOR
  expect(signedHeaders([secret], message)).toEqual({
    'webhook-id': message.id,
    'webhook-timestamp': String(message.timestamp),
    'webhook-signature': signature,
  })
})
