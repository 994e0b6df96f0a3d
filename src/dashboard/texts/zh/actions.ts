import type { Action } from '../../action.js'
import type { actions as actionsEn } from '../en/actions.js'

const names: Record<Action, string> = {
  sign_in: '登录',
  run: '开始提醒',
  pause: '暂停提醒',
  resume: '继续提醒',
  retry: '重发失败的提醒',
  opt_out: '为用户退订',
  bring_back: '恢复用户',
  cancel_message: '取消消息',
  requeue_message: '让消息重新排队',
  requeue_all: '让死信重新排队',
}

export const actions: typeof actionsEn = {
  names,
  outcomes: { started: '未完成', done: '成功', failed: '失败' },
  title: '操作记录',
  note: '最新的在前。姓名由操作者登录时填写，未经核实。',
  when: '时间',
  who: '操作者',
  from: '来源',
  what: '操作',
  outcome: '结果',
  empty: '还没有人在这里操作过。',
  recorded: (name) => `此操作会以“${name}”的名义记录。`,

  run: {
    title: '现在开始今天的提醒？',
    lead: '现在应提醒、且今天还没有提醒过的用户都会收到提醒。已经发出的消息无法撤回。',
    limit: '最多提醒多少人',
    limitHint: '留空表示全部。试发可填 1 到 1,000,000。',
    badLimit: '请填写 1 到 1,000,000 的整数人数，或留空。',
    button: '开始提醒',
  },
  pause: {
    title: '暂停今天的提醒？',
    lead: '正在发送的会发完；继续之前不再提醒其他人。发送时段结束后不会再发。',
    button: '暂停提醒',
  },
  resume: {
    title: '继续今天的提醒？',
    lead: '应提醒、且今天还没有提醒过的用户都会收到提醒。',
    button: '继续提醒',
  },
}
