Promise.all([import('../dist/cli.js'), import('../dist/process.js')]).then(
  async ([{ main }, { processContext }]) => {
    process.exitCode = await main(process.argv.slice(2), processContext())
  },
)
