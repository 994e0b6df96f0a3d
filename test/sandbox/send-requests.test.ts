import { describe, expect, it } from 'vitest'
import type { SendRequest } from '../../src/sandbox/send-request.js'
import { OPEN_ID, START, setup } from './helpers.js'

const SEND = '/cgi-bin/message/wxopen/template/send'

async function witnessed() {
  const requests: SendRequest[] = []
  const world = await setup({ onSendRequest: (request) => requests.push(request) })
  return { ...world, requests }
}

describe('whoever watches the requests to send', () => {
  it('sees an accepted one with its delivery, and no call that names no receiver', async () => {
    const { send, control, requests } = await witnessed()
    await send()
    expect(requests).toMatchObject([
      { at: START, client: undefined, openId: OPEN_ID, outcome: 0, status: 200, endedAt: START },
    ])
    expect(requests[0]?.delivery).toBe(control.ledger()[0])
  })

  it('sees a refused one and a struck one, of which the ledger has nothing', async () => {
    const { send, control, requests } = await witnessed()
    await send({ form_id: 'none' })
    control.addFault({ kind: 'http_status', status: 503, times: 1 })
    await send()
    control.addFault({ kind: 'cut_before' })
    await expect(send()).rejects.toThrow('fetch failed')
    expect(requests.map(({ outcome, status, delivery }) => [outcome, status, delivery])).toEqual([
      [41028, 200, undefined],
      ['http_status', 503, undefined],
      ['cut_before', undefined, undefined],
    ])
  })

  it('sees one that nobody has answered yet', async () => {
    const { send, control, requests } = await witnessed()
    control.addFault({ kind: 'hang', match: { path: SEND } })
    const leaving = new AbortController()
    const sent = send({}, { signal: leaving.signal }).catch(() => 'left')
    await expect.poll(() => requests.map(({ outcome }) => outcome)).toEqual(['hang'])
    expect(requests[0]?.endedAt).toBeUndefined()
    leaving.abort()
    expect(await sent).toBe('left')
    await expect.poll(() => requests[0]?.endedAt).toBe(START)
  })

  it('knows the client that put its name before the paths', async () => {
    const { post, message, newToken, requests } = await witnessed()
    const path = `/as/00012-remind${SEND}?access_token=${await newToken()}`
    expect((await post(path, message())).json.errcode).toBe(0)
    expect(requests).toMatchObject([{ client: '00012-remind', outcome: 0 }])
  })
})
