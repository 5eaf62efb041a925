/**
 * What a supervisor does when its server has ended, with the run's directory in `$run`: all goes, the marker last. An
 * overlay's own working directory has mode 000.
 */
export const removeWhenOver = `
cd "$run" || exit
chmod -R u+rwx work 2>/dev/null
rm -rf upper work snapshot lower wal log
rm -f .pgbk-run.json
cd / && rmdir "$run"
`
