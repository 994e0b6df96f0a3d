import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

/** From a statement by primary key to what nobody waits for any more. */
export const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** From one item to the largest batch of any call. */
export const ITEMS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000]

/** Makes the instruments of one registry. All names begin with `reminder_`, all times are in seconds. */
export interface Instruments {
  /** `collect` is called before each scrape, for what is counted elsewhere. */
  counter<Label extends string = never>(
    name: string,
    help: string,
    labels?: Label[],
    collect?: (this: Counter<Label>) => void,
  ): Counter<Label>
  gauge<Label extends string = never>(name: string, help: string, labels?: Label[]): Gauge<Label>
  histogram<Label extends string = never>(
    name: string,
    help: string,
    buckets: number[],
    labels?: Label[],
  ): Histogram<Label>
}

export function instrumentsOf(registry: Registry): Instruments {
  const describe = <Label extends string>(name: string, help: string, labelNames: Label[]) => ({
    name: `reminder_${name}`,
    help,
    labelNames,
    registers: [registry],
  })
  return {
    counter: (name, help, labels = [], collect) =>
      new Counter({ ...describe(name, help, labels), ...(collect ? { collect } : {}) }),
    gauge: (name, help, labels = []) => new Gauge(describe(name, help, labels)),
    histogram: (name, help, buckets, labels = []) =>
      new Histogram({ ...describe(name, help, labels), buckets }),
  }
}

/** Shows a count that is kept elsewhere. */
export function setTo<Label extends string>(
  counter: Counter<Label>,
  labels: Record<Label, string>,
  count: number,
): void {
  counter.remove(labels)
  counter.inc(labels, count)
}

/** Takes away every series of an account. */
export async function forget(registry: Registry, appId: string): Promise<void> {
  for (const { name } of await registry.getMetricsAsJSON()) {
    const metric = registry.getSingleMetric(name)
    if (!metric) continue
    const { values } = await metric.get()
    for (const { labels } of values) {
      // A histogram has these beside its own labels.
      const { le, quantile, ...own } = labels as Record<string, string>
      if (own.app_id === appId) metric.remove(own)
    }
  }
}
