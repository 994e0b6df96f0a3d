import { text } from 'node:stream/consumers'
import { ServiceError } from '../errors.js'
import { messageOf } from '../lib/message-of.js'
import { hashPassword } from '../lib/password-hash.js'
import { refuseWeak } from '../lib/secrets.js'
import { type AddCommand, EXIT } from './command.js'

const MIN_LENGTH = 12

export const addHashPassword: AddCommand = (program, cli) => {
  program
    .command('hash-password')
    .description('read a password from stdin and print its hash for ADMIN_PASSWORD')
    .action(() =>
      cli.end({ json: false }, async () => {
        if (process.stdin.isTTY) cli.streams.stderr.write('Password, then Enter and Ctrl-D:\n')
        const password = (await text(process.stdin)).replace(/\r?\n$/, '')
        try {
          refuseWeak(password, MIN_LENGTH, 'make one with "openssl rand -base64 18"')
        } catch (error) {
          throw new ServiceError('invalid_request', `The password ${messageOf(error)}`)
        }
        cli.streams.stdout.write(`${await hashPassword(password)}\n`)
        return EXIT.ok
      }),
    )
}
