/** How a submitted message ended for its backend. */
export type SubmittedEnd = 'delivered' | 'failed' | 'unknown' | 'cancelled' | 'no_permit' | 'expired' | 'dead'
