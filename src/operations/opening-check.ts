import type { Account } from '../account.js'
import type { Finding } from './finding.js'

/** Which version of the mini-program a tap on a subscribe message opens. */
export function examineOpening({ miniprogramState: state, lang }: Account): Finding {
  const name = 'miniprogram_state'
  return state === 'formal'
    ? { name, status: 'ok', reason: `messages open the released version, in ${lang}` }
    : {
        name,
        status: 'warn',
        reason: `messages open the ${state} version of the mini-program: nobody but its developers and testers has that`,
        fix: 'Set MINIPROGRAM_STATE=formal, or leave it out, before users are reminded.',
      }
}
