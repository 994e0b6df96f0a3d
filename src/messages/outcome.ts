import type { OutcomeChange } from '../runs/outcomes.js'
import { causeOf } from './cause.js'
import type { AnswerRecord, JudgedMessage } from './judged.js'

/** The state in which an attempt leaves a message, or a claim that led to none. */
export type EndState = 'delivered' | 'failed' | 'unknown' | 'cancelled' | 'retry'

/** Messages of one run and template that ended an attempt in the same way. */
export interface Ended {
  runId: number | null
  templateId: string
  state: EndState
  answer: Pick<AnswerRecord, 'errcode' | 'errmsg'>
  /** Whether requests were made. */
  attempted: boolean
  messages: number
  sample: OutcomeChange['sample']
}

/** How wx_run_outcome changes with them. */
export function outcomesOf(ended: Ended): OutcomeChange[] {
  const { state, attempted } = ended
  if (state !== 'retry') return [answered(ended, state)]
  const waits = waiting(ended.runId, ended.messages)
  return attempted ? [waits, answered(ended, 'retried')] : [waits]
}

/** Messages that begin to wait for another attempt; a negative number of them no longer do. */
export function waiting(runId: number | null, messages: number): OutcomeChange {
  return { runId, outcome: 'waiting', errcode: null, cause: '', templateId: '', messages }
}

/** A dead permit: its message goes on with the user's next one. */
export function nextPermit({ message, answer }: JudgedMessage): OutcomeChange {
  const { runId, templateId } = message
  return answered(
    { runId, templateId, answer, messages: 1, sample: sampleOf(message.id, answer) },
    'next_permit',
  )
}

/** Messages that a claim has written. */
export function claimed(runId: number, messages: number): OutcomeChange {
  return { runId, outcome: 'claimed', errcode: null, cause: '', templateId: '', messages }
}

/** One of the messages, to be named beside the count. */
export function sampleOf(messageId: number, { rid }: Pick<AnswerRecord, 'rid'>): OutcomeChange['sample'] {
  return { messageId, rid }
}

function answered(
  { runId, templateId, answer, messages, sample }: Omit<Ended, 'state' | 'attempted'>,
  outcome: Exclude<EndState, 'retry'> | 'retried' | 'next_permit',
): OutcomeChange {
  const { errcode } = answer
  return { runId, outcome, errcode, cause: causeOf(answer), templateId, messages, sample }
}
