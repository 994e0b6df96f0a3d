/** What operators can do. */
export const ACTIONS = ['sign_in', 'run', 'pause', 'resume', 'retry', 'opt_out', 'bring_back'] as const
export type Action = (typeof ACTIONS)[number]
