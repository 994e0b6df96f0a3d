/** The part of pino that modules below the composition root need: fields first, an optional message after. */
export interface Logger {
  info(fields: object, message?: string): void
  warn(fields: object, message?: string): void
  error(fields: object, message?: string): void
}
