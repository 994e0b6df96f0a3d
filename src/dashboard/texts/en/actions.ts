import type { Action } from '../../action.js'

const names: Record<Action, string> = {
  sign_in: 'Signed in',
  run: 'Started the run',
  pause: 'Paused the run',
  resume: 'Resumed the run',
  retry: 'Retried failed reminders',
  opt_out: 'Opted a user out',
  bring_back: 'Brought a user back',
  cancel_message: 'Cancelled a message',
  requeue_message: 'Queued a message again',
  requeue_all: 'Queued dead letters again',
}

export const actions = {
  names,
  outcomes: { started: 'not completed', done: 'done', failed: 'failed' },
  title: 'What operators did',
  note: 'Newest first. Names are those given at the sign-in; nobody checks them.',
  when: 'When',
  who: 'Who',
  from: 'From',
  what: 'What',
  outcome: 'Outcome',
  empty: 'Nobody has done anything here yet.',
  recorded: (name: string) => `It is recorded as done by ${name}.`,

  run: {
    title: "Start today's run?",
    lead: 'Everybody who is due now and was not reminded today gets the reminder. Messages that have left cannot be called back.',
    limit: 'At most so many users',
    limitHint: 'Empty: everybody. For a trial, 1 to 1,000,000.',
    badLimit: 'Please give a whole number of users, 1 to 1,000,000, or nothing.',
    button: 'Start the run',
  },
  pause: {
    title: "Pause today's run?",
    lead: 'What is being sent is finished; nobody else is reminded until it is resumed. After the sending window nothing goes out.',
    button: 'Pause the run',
  },
  resume: {
    title: "Resume today's run?",
    lead: 'Everybody who is due and was not reminded today gets the reminder.',
    button: 'Resume the run',
  },
}
