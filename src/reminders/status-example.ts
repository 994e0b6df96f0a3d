/** A run for the API description: done, with one user who had refused. */

const summary = {
  date: '2026-11-20',
  run_id: 5,
  state: 'done',
  reason: null,
  reason_zh: null,
  remedy: null,
  remedy_zh: null,
  triggered_by: 'cron',
  started_at: '2026-11-20T02:00:00.000Z',
  finished_at: '2026-11-20T02:01:12.000Z',
  updated_at: '2026-11-20T02:01:12.000Z',
  planned: 1200,
  due: 1200,
  claimed: 1200,
  delivered: 1199,
  failed: 1,
  unknown: 0,
  retrying: 0,
  cancelled: 0,
  in_hand: 0,
  skipped: {
    signed_in: 310,
    no_permit: 85,
    no_valid_permit: 12,
    opted_out: 4,
    blocked: 0,
    as_of: '2026-11-20T02:01:12.000Z',
  },
  errors: [
    {
      errcode: 40003,
      name: 'invalid_openid',
      class: 'user',
      finding: 'user_of_other_app',
      meaning:
        'The open_id is not one of this account, or no longer follows it. Many at once: open_ids of another app.',
      meaning_zh: 'openid 不属于该账号或已取消关注；大量出现说明 openid 来自其他应用',
      what_to_do:
        'Nothing: it is the wish or the state of the user. If there are suddenly many, find out why before the next run.',
      what_to_do_zh: '无需处理，这是用户本人的意愿或状态。如果突然很多，请在下次任务前查明原因。',
      fix: 'If there are many, the backend uploads open_ids of another app: look at WX_APP_ID and at the login of the client.',
      fix_zh: '如果很多，说明后端上传了其他应用的 openid：检查 WX_APP_ID 和客户端登录。',
      template_id: 'TEMPLATE-ID-OF-YOUR-ACCOUNT',
      outcome: 'failed',
      count: 1,
      first_seen_at: '2026-11-20T02:00:41.000Z',
      last_seen_at: '2026-11-20T02:00:41.000Z',
      sample_rids: ['6742f1a3-0c9b2e7d-4f6188aa'],
      sample_message_ids: [4711],
    },
  ],
  delivery_status: {},
}

export const RUN_LIST = { runs: [summary], next: null }

export const RUN_STATUS = {
  ...summary,
  next_firing_at: null,
  progress: null,
  rate_per_second: 16.7,
  expected_finish_at: null,
  expected_end: null,
  quota: {
    path: '/cgi-bin/message/subscribe/send',
    daily_limit: 10_000_000,
    left: 9_998_800,
    reserved: 0,
    asked_at: '2026-11-20T02:00:00.000Z',
    enough: true,
    note: null,
    note_zh: null,
  },
  open: null,
}
