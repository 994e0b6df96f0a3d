/** Lets tasks of one process wait until something changes for them. */
export interface Wake {
  /** Something has changed: everyone who waits looks again. */
  wake(): void
  /** Resolves at the next change. */
  next(): Promise<void>
  until(condition: () => boolean): Promise<void>
}

export function createWake(): Wake {
  let { promise, resolve } = pending()
  return {
    wake() {
      resolve()
      ;({ promise, resolve } = pending())
    },
    next: () => promise,
    async until(condition) {
      while (!condition()) await promise
    },
  }
}

function pending(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
