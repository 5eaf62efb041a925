/**
 * What a supervisor does in the run's directory when its server has ended: all goes, the marker last, so that the next
 * run can take up what fails. An overlay's own working directory has mode 000; root's rm
 * does not mind, and root must not follow what may be a link.
 */
export const removeWhenOver = `
all='upper work snapshot conf lower wal log .pgbk-run.json.new'
rm -rf $all 2>/dev/null || { chmod -R u+rwx work; rm -rf $all; } && rm -f .pgbk-run.json && cd / && rmdir "$run"
`
