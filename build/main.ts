import { compile } from './compile.js'

/** `npm run build`: what `npm start` runs. */
compile('src', 'migrations')
