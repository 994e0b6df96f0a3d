/** What operators can do. */
export type Action =
  | 'sign_in'
  | 'run'
  | 'pause'
  | 'resume'
  | 'retry'
  | 'opt_out'
  | 'bring_back'
  | 'cancel_message'
  | 'requeue_message'
  | 'requeue_all'
