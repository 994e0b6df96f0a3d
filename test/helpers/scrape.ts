/** One line of Prometheus' text format. */
interface Sample {
  name: string
  labels: Record<string, string>
  value: number
}

/** What one scrape told. */
export interface Scrape {
  text: string
  samples: Sample[]
  /** Names of the metrics, as their HELP lines say. */
  names: string[]
  /** The sum of the samples of this name that have these labels; undefined if there is none. */
  value(name: string, labels?: Record<string, string>): number | undefined
}

export function readScrape(text: string): Scrape {
  const samples = text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map(sampleOf)
  return {
    text,
    samples,
    names: [...text.matchAll(/^# HELP (\S+)/gm)].map(([, name = '']) => name),
    value(name, labels = {}) {
      const found = samples.filter(
        (sample) =>
          sample.name === name &&
          Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
      )
      return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0)
    },
  }
}

function sampleOf(line: string): Sample {
  const [, name = '', inner = '', value = ''] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
  if (name === '') throw new Error(`This is no sample: ${line}`)
  const labels = [...inner.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label = '', text = '']) => [
    label,
    text,
  ])
  return { name, labels: Object.fromEntries(labels), value: Number(value) }
}

/** How much each named number has grown from one scrape to another. */
export function grown(before: Scrape, after: Scrape, name: string, labels?: Record<string, string>): number {
  return (after.value(name, labels) ?? 0) - (before.value(name, labels) ?? 0)
}
