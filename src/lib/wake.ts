/** Lets tasks of one process wait until something changes for them. */
export interface Wake {
  /** Something has changed: everyone who waits looks again. */
  wake(): void
  /** Resolves at the next change. */
  next(): Promise<void>
  until(condition: () => boolean): Promise<void>
}

export function createWake(): Wake {
  // Only while somebody waits: most changes of a large run meet nobody.
  let promise: Promise<void> | undefined
  let resolve = (): void => {}

  const next = (): Promise<void> => {
    promise ??= new Promise<void>((done) => {
      resolve = done
    })
    return promise
  }
  return {
    wake() {
      if (!promise) return
      promise = undefined
      resolve()
    },
    next,
    async until(condition) {
      while (!condition()) await next()
    },
  }
}
