/** @returns {{ reminder: import('./reminder').Reminder }} the app of app.js */
const app = () => getApp()

module.exports = { app }
