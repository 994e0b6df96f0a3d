export const frame = {
  product: 'Sign-in reminder',
  skip: 'Skip to the content',
  navigation: 'Pages',
  sections: {
    today: 'Today',
    permits: 'Permits',
    history: 'History',
    user: 'User',
    errors: 'Errors',
    health: 'Health',
  },
  language: 'Language',
  languages: { en: 'English', zh: '中文' },
  theme: 'Theme',
  themes: { system: 'System', light: 'Light', dark: 'Dark' },
  signOut: 'Sign out',
  cancel: 'Cancel',
  backToToday: 'Back to Today',
  wentWrong: 'That did not work',
  none: 'none',
  faults: {
    forbidden: 'This form is from an earlier sign-in. Go back, load the page again and send it once more.',
    not_found: 'There is no such page.',
    too_many_requests: 'Too many attempts. Wait a little, then try again.',
    overloaded: 'Too much is going on just now. Try again shortly.',
    not_ready: 'The service or its database is not ready. Try again shortly.',
    invalid_request: 'Something in the form or in the address is not valid.',
    conflict: 'Something has changed in the meantime.',
    internal: 'Something went wrong on our side; the log says what.',
  },
}

export const signIn = {
  title: 'Sign in',
  lead: 'For the operators of the daily reminder.',
  name: 'Your name',
  nameHint: 'Stands beside what you do in the log of actions.',
  password: 'Password',
  button: 'Sign in',
  wrong: 'That is not the password.',
  noName: 'Please give your name: 1 to 40 characters.',
  offTitle: 'The dashboard is off',
  off: 'It is switched on by a password. Set ADMIN_PASSWORD for the service and start it again; everybody who knows it may sign in here.',
  offHash: 'Better than the password itself is a hash of it, which this command makes:',
  offRest: 'Reminders, uploads and the HTTP API do not need the dashboard.',
}

export const card = {
  withoutPage: 'A tap opens nothing: REMINDER_PAGE is not set.',
  opens: (page: string) => `A tap opens ${page}.`,
  keys: 'In place of the keys, WeChat shows the titles of the template.',
}
