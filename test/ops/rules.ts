import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const pathOf = (name: string): string => fileURLToPath(new URL(`../../ops/${name}`, import.meta.url))
export const readOps = (name: string): string => readFileSync(pathOf(name), 'utf8')

export interface Rule {
  name: string
  expr: string
  annotations: Record<string, string>
}

/** The rules of alerts.yml, as far as its own layout goes; promtool reads it as YAML. */
export function readRules(): Rule[] {
  return readOps('alerts.yml')
    .split(/^ {6}- alert: /m)
    .slice(1)
    .map((block) => {
      const [, expr = ''] = /^ {8}expr: (?:\|\n)?([\s\S]*?)^ {8}\w+:/m.exec(block) ?? []
      const [, annotations = ''] = /^ {8}annotations:\n([\s\S]*)/m.exec(block) ?? []
      const lines = [...annotations.matchAll(/^ {10}(\w+): '?(.*?)'?$/gm)]
      return {
        name: block.split('\n')[0] ?? '',
        expr,
        annotations: Object.fromEntries(lines.map(([, key = '', text = '']) => [key, text])),
      }
    })
}

/** Names of metrics in an expression: words outside of label matchers, texts and the lists of `by` and `on`. */
export function metricsIn(expr: string): string[] {
  const bare = expr
    .replace(/"[^"]*"/g, '')
    .replace(/\{[^}]*\}/g, '')
    .replace(/\b(?:by|on|without|ignoring|group_left|group_right) ?\([^)]*\)/g, '')
  return [...bare.matchAll(/\b([a-z]+_\w+)\b(?! ?\()/g)].map(([, name = '']) => name)
}

/** The series that an expression selects, and the labels by which it does. */
export function selectorsIn(expr: string): { metric: string; labels: string[] }[] {
  return [...expr.matchAll(/\b([a-z]+_\w+)\{([^}]*)\}/g)].map(([, metric = '', matchers = '']) => ({
    metric,
    labels: [...matchers.matchAll(/(\w+)(?:=~|!=|!~|=)"/g)].map(([, label = '']) => label),
  }))
}
