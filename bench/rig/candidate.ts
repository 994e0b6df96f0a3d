/** The other end of process.ts, in the scripts that are measured: nothing is loaded here that would count as theirs. */

/** What a script was started with. */
export function config<Config>(): Config {
  return JSON.parse(process.env.BENCH ?? '{}') as Config
}

/** Tells that everything is prepared, and waits for the start. */
export async function ready(): Promise<void> {
  process.stdout.write('ready\n')
  await new Promise<void>((resolve) => process.stdin.once('data', () => resolve()))
}

/** Gives the result, and stays until it is killed: the rig reads what the process has used. */
export function finish(result: object): void {
  process.stdout.write(`${JSON.stringify(result)}\n`)
  setInterval(() => {}, 60_000)
}
