// `npm run bundle`: one file starts in less time than a thousand modules. `pgbk` is CommonJS, whose compiled code can
// be kept (bin/load.js); the libraries that few commands need stay files of their own, beside it.
import { readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { build } from 'esbuild'

const common = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  outdir: 'dist',
  legalComments: 'eof',
  logLevel: 'warning',
}

const commonJs = {
  ...common,
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  // Nobody answers import() for code that was kept (vm.Script).
  supported: { 'dynamic-import': false },
}

const besideIt = {
  name: 'libraries beside the bundle',
  setup: ({ onResolve }) =>
    onResolve({ filter: /\/(s3-sdk|age-library)\.js$/ }, ({ path }) => ({
      path: `./${basename(path, '.js')}.cjs`,
      external: true,
    })),
}

/** What esbuild leaves as it is, in comments and in regular expressions, where this means the same. */
const inAscii = {
  name: 'ASCII alone',
  setup: ({ initialOptions, onEnd }) =>
    onEnd(() => {
      const escaped = (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`
      for (const file of Object.keys(initialOptions.entryPoints).map((name) => `dist/${name}.cjs`))
        writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/[\u0080-\uffff]/g, escaped))
    }),
}

await Promise.all([
  build({
    ...commonJs,
    entryPoints: { pgbk: 'dist/main.js' },
    plugins: [besideIt, inAscii],
    define: { 'import.meta.url': 'bundleUrl' },
    banner: { js: "'use strict'; const bundleUrl = require('node:url').pathToFileURL(__filename).href" },
  }),
  build({
    ...commonJs,
    entryPoints: {
      's3-sdk': 'dist/place/store/s3/s3-sdk.js',
      'age-library': 'dist/encryption/age-library.js',
    },
    plugins: [inAscii],
    minify: true,
    // Their ES modules: of a CommonJS one all comes along, of the S3 client half of which is never used.
    mainFields: ['module', 'main'],
    define: { 'process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED': '"true"' },
  }),
  build({
    ...common,
    format: 'esm',
    entryPoints: { relay: 'dist/run/enclosure/relay.js', 'file-server': 'dist/file-server/file-server.js' },
  }),
])
