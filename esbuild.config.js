// `npm run bundle`: one file starts in less time than a thousand modules. `pgbk` is CommonJS, whose compiled code can
// be kept (bin/load.js); the libraries that few commands need stay files of their own, beside it.
import { build } from 'esbuild'

const common = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  outdir: 'dist',
  legalComments: 'eof',
  logLevel: 'warning',
}

const commonJs = { ...common, format: 'cjs', outExtension: { '.js': '.cjs' } }

const besideIt = {
  name: 'libraries beside the bundle',
  setup: ({ onResolve }) =>
    onResolve({ filter: /^\.\/(s3-sdk|age-library)\.js$/ }, ({ path }) => ({
      path: path.replace(/\.js$/, '.cjs'),
      external: true,
    })),
}

await Promise.all([
  build({
    ...commonJs,
    entryPoints: { pgbk: 'dist/main.js' },
    plugins: [besideIt],
    minifyWhitespace: true,
    // Nobody answers import() for code that was kept (vm.Script).
    supported: { 'dynamic-import': false },
    define: { 'import.meta.url': 'bundleUrl' },
    banner: { js: "const bundleUrl = require('node:url').pathToFileURL(__filename).href" },
  }),
  build({
    ...commonJs,
    entryPoints: {
      's3-sdk': 'dist/place/store/s3/s3-sdk.js',
      'age-library': 'dist/encryption/age-library.js',
    },
    minify: true,
    define: { 'process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED': '"true"' },
  }),
  build({
    ...common,
    format: 'esm',
    entryPoints: { relay: 'dist/run/enclosure/relay.js', 'file-server': 'dist/file-server/file-server.js' },
  }),
])
