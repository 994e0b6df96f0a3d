/**
 * What may import what in src/. Each layer may import itself and those above it in this list, so imports run one way
 * and files form no cycles. A new folder gets its line here.
 */
const LAYERS = [
  ['errors', 'account', 'accounts', 'channel'],
  ['lib'],
  ['db', 'wechat'],
  ['findings'],
  ['tokens', 'platform'],
  ['books', 'runs', 'schedule'],
  ['http'],
  ['users'],
  ['permits', 'sign-ins'],
  ['messages'],
  ['preflight'],
  ['summaries'],
  ['reminders', 'submitted', 'callbacks', 'retention'],
  ['user-data', 'webhooks'],
  ['metrics', 'tracing'],
  ['config'],
  ['deps', 'schema'],
  ['operations'],
  ['dashboard'],
  ['app', 'jobs', 'observers'],
  ['sandbox'],
  ['account-service', 'account-services', 'service'],
  ['demo'],
  ['cli'],
  ['main'],
]

/** A folder or a file of src/. */
const pathOf = (names) => `^src/(${names.join('|')})(/|\\.ts$)`

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-circle',
      comment:
        'Files that import each other cannot be read one after the other: move what both need below them.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'every-folder-has-a-layer',
      comment: 'Add the folder to LAYERS in dependency-rules.cjs.',
      severity: 'error',
      from: { path: '^src/', pathNot: pathOf(LAYERS.flat()) },
      to: {},
    },
    {
      name: 'books-by-their-index',
      comment: 'The halves of a verb are not called alone: import src/books/index.ts.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/books/' },
      to: { path: '^src/books/', pathNot: '^src/books/index\\.ts$' },
    },
    {
      name: 'migrations-by-the-schema',
      comment: 'What lies below the composition is handed its migrations.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/schema\\.ts$' },
      to: { path: '^migrations/' },
    },
    ...LAYERS.slice(0, -1).map((layer, i) => ({
      name: `${layer.join('-')}-imports-upwards`,
      comment: 'Imports run one way, see LAYERS in dependency-rules.cjs.',
      severity: 'error',
      from: { path: pathOf(layer) },
      to: { path: pathOf(LAYERS.slice(i + 1).flat()) },
    })),
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    // Types count too: a cycle of types is as hard to read.
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
  },
}
