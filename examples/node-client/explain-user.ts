/** Tells why a user is reminded or not: npx tsx explain-user.ts USER_ID [YYYY-MM-DD] */
import { clientFromEnvironment } from './from-environment.js'

const [userId = '9001', date] = process.argv.slice(2)
const client = clientFromEnvironment()

const { sentence, sentence_zh, checks } = await client.explainUser(userId, date === undefined ? {} : { date })
console.log(sentence)
console.log(sentence_zh)
for (const { ok, name, detail } of checks) console.log(`${ok ? '+' : '-'} ${name}: ${detail}`)
