/**
 * What a supervisor does in the run's directory when its server has ended: all goes, the marker last. An overlay's own
 * working directory has mode 000.
 */
export const removeWhenOver = `
chmod -R u+rwx work 2>/dev/null
rm -rf upper work snapshot lower wal log
rm -f .pgbk-run.json
cd / && rmdir "$run"
`
