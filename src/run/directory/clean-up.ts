/**
 * What a supervisor does in the run's directory when its server has ended, outside of the server's name spaces: all goes, the
 * marker last, so that the next run can take up what fails. An overlay's own working directory has mode 000.
 */
export const removeWhenOver = `
all='upper work snapshot sandbox files store conf lower wal log .begun .pgbk-.pgbk-run.json.*'
rm -rf "$sockets"
rm -rf $all 2>/dev/null || { chmod -R u+rwx work; rm -rf $all; } && rm -f .pgbk-run.json && cd / && rmdir "$run"
`
