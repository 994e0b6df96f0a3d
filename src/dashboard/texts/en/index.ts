/** Every word that a page says, in English. */
export * from './actions.js'
export * from './frame.js'
export * from './health.js'
export * from './today.js'
export * from './user.js'
