import type { Account } from '../account.js'
import { type Finding, toFinding } from '../findings/finding.js'

/** Which version of the mini-program a tap on a subscribe message opens. */
export function examineOpening({ miniprogramState: state, lang }: Account): Finding {
  const name = 'miniprogram_state'
  if (state === 'formal')
    return toFinding(name, 'ok', {
      en: `messages open the released version, in ${lang}`,
      zh: `消息打开正式版，语言 ${lang}`,
    })
  return toFinding(
    name,
    'warn',
    {
      en: `messages open the ${state} version of the mini-program: nobody but its developers and testers has that`,
      zh: `消息打开小程序的 ${state} 版本：只有开发者和体验成员能打开`,
    },
    {
      fix: {
        en: 'Set MINIPROGRAM_STATE=formal, or leave it out, before users are reminded.',
        zh: '提醒用户之前，把 MINIPROGRAM_STATE 设为 formal 或去掉。',
      },
    },
  )
}
