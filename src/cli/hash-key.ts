import { randomBytes } from 'node:crypto'
import { hashOfKey } from '../http/api-keys.js'
import { type AddCommand, EXIT } from './command.js'

/** As many as SHA-256 has: nobody tries out so many, also not with the hash in hand. */
const KEY_BYTES = 32

export const addHashKey: AddCommand = (program, cli) => {
  program
    .command('hash-key')
    .description('make a random API key; print it and its hash for ACCOUNTS_FILE')
    .action(() =>
      cli.end({ json: false }, async () => {
        const key = randomBytes(KEY_BYTES).toString('base64url')
        cli.streams.stdout.write(`key   ${key}\nhash  ${hashOfKey(key)}\n`)
        return EXIT.ok
      }),
    )
}
