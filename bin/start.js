// First of all: an argument may be a URI or a conninfo with a password, and `ps` shows it until here.
if (process.argv.slice(2).some((word) => /password|secret|scram_|:\/\/.*:.*@|:\/\/.*%/i.test(word)))
  process.title = 'pgbk'
require('./load.js').load().exports.run()
