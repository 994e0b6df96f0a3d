import { type TObject, type TProperties, Type } from 'typebox'

export const Name = Type.String({ minLength: 1, maxLength: 200 })

/** An object in which a misspelt field is an error instead of being ignored. */
export function closed<P extends TProperties>(properties: P): TObject<P> {
  return Type.Object(properties, { additionalProperties: false })
}
