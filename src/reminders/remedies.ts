import type { Bilingual } from '../lib/bilingual.js'
import type { Cause, Reason } from '../runs/reason.js'
import type { RunState } from '../runs/run.js'

/** What an operator is to do about a run that stands as it does, by cause. A new cause does not compile without its line. */
const BY_CAUSE: Record<Cause, Bilingual> = {
  configuration: {
    en: 'Set right what the reason names, then run remind: what was claimed has been given back, and the same day goes on. `doctor` checks the settings without sending.',
    zh: '按原因所述改正后执行 remind：已占用的都已退还，当天会接着提醒。`doctor` 可检查配置而不发送。',
  },
  token: {
    en: 'Find out who else fetches access tokens for this account (WX_TOKEN_MODE=stable keeps them apart), check WX_APP_ID and WX_APP_SECRET, then run remind.',
    zh: '查明还有谁在获取该账号的 access_token（WX_TOKEN_MODE=stable 可互不影响），检查 WX_APP_ID 和 WX_APP_SECRET，然后执行 remind。',
  },
  unknown: {
    en: 'Look up one of the sample rids in the WeChat console, which keeps them for seven days. Run remind once you know what the code means.',
    zh: '用样例 rid 到微信后台查询（保留 7 天），弄清错误码的含义后再执行 remind。',
  },
  quota: {
    en: 'Reset the quota in the WeChat console and run remind, or leave the rest to tomorrow: their permits are kept.',
    zh: '在微信后台清零额度后执行 remind；也可以不处理，其余用户的凭证都保留，明天再提醒。',
  },
  preflight: {
    en: 'Do what the reason names, then run remind: nothing was claimed or sent, and the same day goes on. `doctor` looks again without sending.',
    zh: '按原因所述改正后执行 remind：还没有占用或发送任何消息，当天会接着提醒。`doctor` 可再次检查而不发送。',
  },
  refusals: {
    en: 'Check whether these users really refused: 43101 for everybody was seen as a fault of the platform (bring-back undoes it), 40003 means open_ids of another app, 41028 form_ids of another app or uploaded for the wrong user. Then run remind.',
    zh: '先确认用户是否真的拒收：所有人都报 43101 曾是平台故障（可用 bring-back 撤销），40003 说明 openid 来自其他应用，41028 说明 form_id 来自其他应用或上传时配错了用户。然后执行 remind。',
  },
  outage: {
    en: 'Nothing, if WeChat is down: the service tries again each minute. If WeChat is up, check the network and proxies of this machine.',
    zh: '微信故障时无需处理，服务每分钟自动重试；如果微信正常，请检查本机的网络和代理。',
  },
  outage_to_the_end: {
    en: 'Nothing for that day: those who were not reminded keep their permits. Check the network and proxies of this machine if WeChat was up.',
    zh: '当天无法补救，未提醒的用户凭证都保留。如果当时微信正常，请检查本机的网络和代理。',
  },
  operator: {
    en: 'Run remind, or press Resume, to go on; the schedule leaves it paused.',
    zh: '执行 remind 或点“继续”即可接着提醒；定时任务不会自动继续。',
  },
  limit: {
    en: 'Run remind again for the rest, with a limit or without.',
    zh: '再次执行 remind 可提醒其余用户，可带也可不带 --limit。',
  },
  window: {
    en: 'Nothing for that day: the rest keep their permits. To get through in time, start earlier (REMIND_CRON), raise SEND_CONCURRENCY or SEND_RATE, or set SEND_UNTIL later.',
    zh: '当天无需处理，其余用户的凭证都保留。要及时发完，可提早开始（REMIND_CRON）、调高 SEND_CONCURRENCY 或 SEND_RATE，或推迟 SEND_UNTIL。',
  },
  stopped: {
    en: 'Start `serve`, or run remind, to go on.',
    zh: '启动 `serve` 或执行 remind 即可继续。',
  },
  abandoned: {
    en: 'Find out why the processes ended (the log of that time), and keep `serve` running under a supervisor such as systemd. That day is over.',
    zh: '查看当时的日志，弄清进程为何退出，并用 systemd 等让 `serve` 保持运行。当天已无法补救。',
  },
  no_process: {
    en: 'That day is over. Keep `serve` running from the time of REMIND_CRON on, under a supervisor such as systemd.',
    zh: '当天已无法补救。请用 systemd 等保证 `serve` 从 REMIND_CRON 的时间起一直运行。',
  },
  late_firing: {
    en: 'Set REMIND_CRON before SEND_UNTIL.',
    zh: '把 REMIND_CRON 设在 SEND_UNTIL 之前。',
  },
  restored: {
    en: 'Nothing: everybody who was due on that day counts as reminded, since the dump does not tell who was.',
    zh: '无需处理：备份无法得知当天提醒过谁，因此应提醒的用户都视为已提醒。',
  },
  database: {
    en: 'Look into the log for the error of the database; the job goes on with its next firing.',
    zh: '查看日志中的数据库错误；下次触发时会继续。',
  },
}

/** The same for a run whose cause is not on record: somebody has changed its row by hand. */
const BY_STATE: Record<RunState, Bilingual | null> = {
  running: null,
  done: null,
  halted: {
    en: 'Find out what halted it, set it right, then run remind.',
    zh: '查明中止的原因并改正，然后执行 remind。',
  },
  paused: { en: 'Run remind to go on.', zh: '执行 remind 即可继续。' },
  limited: BY_CAUSE.limit,
  window_closed: BY_CAUSE.window,
  missed: BY_CAUSE.no_process,
}

/** What to do about a run; null if there is nothing. */
export function remedyOf(state: RunState, reason: Reason | null): Bilingual | null {
  return reason?.cause ? BY_CAUSE[reason.cause] : BY_STATE[state]
}
