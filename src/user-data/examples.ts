import { EXAMPLE } from '../http/schemas.js'

/** Answers for the API description: a user who was reminded yesterday and signed in today. */

const TEN_YESTERDAY = '2026-11-20T02:00:00.000Z'
const TODAY = '2026-11-21T04:00:00.000Z'

const permit = {
  id: 2,
  open_id: EXAMPLE.user.open_id,
  form_id: EXAMPLE.formId,
  use_no: 1,
  source: 'form',
  template_id: null,
  page: 'pages/sign-in/index',
  status: 'unspent',
  expires_at: '2026-11-28T04:00:00.000Z',
  message_id: null,
  spoiled_by: null,
  created_at: TODAY,
}

const ACCEPTED = { errcode: 0, name: 'ok', meaning: 'Accepted.', meaning_zh: '成功' }

const message = {
  id: 1,
  trace_id: 'message-1',
  kind: 'reminder',
  date: '2026-11-20',
  state: 'delivered',
  channel: 'form_id',
  template_id: 'TEMPLATE-ID-OF-YOUR-ACCOUNT',
  page: 'pages/sign-in/index',
  texts: { keyword1: '日领积分', keyword2: '已经连续答题3天', keyword4: '2026.11.20' },
  open_id: EXAMPLE.user.open_id,
  permit_id: 1,
  run_id: 1,
  attempts: 1,
  attempts_on_record: [{ permit_id: 1, answer: ACCEPTED, rid: null, at: TEN_YESTERDAY }],
  answer: null,
  errmsg: null,
  rid: null,
  msgid: null,
  maybe_sent: false,
  delivery_status: null,
  next_attempt_at: null,
  created_at: TEN_YESTERDAY,
  settled_at: TEN_YESTERDAY,
}

const signIn = { date: EXAMPLE.date, streak: 1, created_at: TODAY }

export const PERMIT_PAGE = { items: [permit], next: null }
export const SIGN_IN_PAGE = { items: [signIn], next: null }
export const MESSAGE_PAGE = { items: [message], next: null }

export const USER_DETAIL = {
  user_id: EXAMPLE.user.user_id,
  open_ids: [{ open_id: EXAMPLE.user.open_id, union_id: null, known_since_at: TEN_YESTERDAY }],
  counter: { count: 1, last_date: '2026-11-20' },
  stops: [],
  permits: {
    ...PERMIT_PAGE,
    unspent: 1,
    spent: 1,
    expired: 0,
    all_counted: true,
    groups: [{ source: 'form', template_id: null, expires_on: '2026-11-28', permits: 1 }],
  },
  sign_ins: { ...SIGN_IN_PAGE, signed_in: true, streak: 1, streak_before: 0 },
  messages: MESSAGE_PAGE,
}
