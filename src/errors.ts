/** The settings are wrong: every fault at once, in words that say what to set. */
export class ConfigError extends Error {
  readonly code = 'config_invalid'

  constructor(readonly faults: string[]) {
    super(
      `The configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${faults.map((f) => `  - ${f}`).join('\n')}`,
    )
    this.name = 'ConfigError'
  }
}
