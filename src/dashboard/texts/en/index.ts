/** Every word that a page says, in English. */
export * from './actions.js'
export * from './errors.js'
export * from './frame.js'
export * from './health.js'
export * from './history.js'
export * from './permits.js'
export * from './today.js'
export * from './user.js'
