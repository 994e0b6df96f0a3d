import type { HeldMessage } from '../../src/messages/message.js'
import type { SendResult } from '../../src/wechat/client.js'
import { errcodeOf, httpStatusEntry } from '../../src/wechat/errcodes.js'
import { NOW } from './constants.js'

/** A claimed message as the code hands it around. */
export function held(changes: Partial<HeldMessage> = {}): HeldMessage {
  return {
    id: 1,
    lease: { claimId: 1, deadline: Number.POSITIVE_INFINITY },
    state: 'sending',
    kind: 'reminder',
    appId: 'wx1',
    userId: 7,
    openId: 'oUser7',
    addressedTo: null,
    channel: 'form_id',
    templateId: 'template',
    page: '',
    data: {},
    permitId: 11,
    permitSource: 'form',
    createdAt: NOW,
    formId: 'form-11',
    attempts: 0,
    maybeSent: false,
    businessDate: 20_261_120,
    runId: null,
    spared: 0,
    submittedBy: '',
    notAfter: null,
    ...changes,
  }
}

/** What the client answers when WeChat has refused with this code. */
export const refusal = (errcode: number): SendResult => ({
  kind: 'refused',
  errcode,
  errmsg: 'no',
  entry: httpStatusEntry(errcode) ?? errcodeOf(errcode),
})

export const ACCEPTED: SendResult = { kind: 'accepted' }
export const REFUSED_CONNECTION: SendResult = { kind: 'unreachable', reason: 'refused' }
export const CUT: SendResult = { kind: 'ambiguous', reason: 'connection_lost' }
