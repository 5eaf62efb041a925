import type { Proof } from '../../catalog/proof.js'
import { outcomeOf } from '../../catalog/proof-outcome.js'
import { formatBytes, formatDuration } from '../../text/format.js'
import type { VerifyResult } from '../../verify/verify.js'
import { unprovenOf } from '../parts/proof-text.js'
import { printable, type Screen } from '../screen.js'

export function verifyJson({ checks, leftOut }: VerifyResult): object {
  return {
    checks: checks.map(({ id, ...check }) => ({ backup: id, ok: check.faults.length === 0, ...check })),
    left_out: leftOut.map(({ id, reason }) => ({ backup: id, reason })),
  }
}

/** Every backup that was looked at, with all its faults and what could not be proven; quiet, only those that have any. */
export function verifyText({ checks, root }: VerifyResult, { style, quiet }: Screen): string {
  const shown = checks.filter(
    ({ faults, proof }) => !quiet || faults.length > 0 || unprovenOf(proof).length > 0,
  )
  const lines = shown.flatMap(({ id, faults, segments, wal_bytes, duration_ms, proof }) => {
    const wal = `${segments} WAL ${segments === 1 ? 'segment' : 'segments'} (${formatBytes(wal_bytes)})`
    const good = `as it was made, with ${wal}, ${formatDuration(duration_ms)}${proof ? proofPart(proof) : ''}`
    const count = `${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}`
    const reasons = unprovenOf(proof)
    const paint = reasons.length > 0 ? style.warning : style.good
    return [
      `${style.strong(id)}  ${faults.length === 0 ? paint(good) : style.bad(count)}`,
      ...faults.map(({ file, problem }) => `  ${printable(file)}: ${printable(problem)}`),
      ...reasons.map((reason) => `  not proven: ${printable(reason)}`),
    ]
  })
  if (checks.length > 1 && lines.length > 0) lines.push('', style.faint(summary({ checks, root })))
  return lines.map((line) => `${line}\n`).join('')
}

function proofPart(proof: Proof): string {
  if (outcomeOf(proof) === 'unproven') return '; not proven'
  const { ready_ms, replay_ms, postgres_version } = proof
  const ready = ready_ms === null ? '' : `, ready in ${formatDuration(ready_ms)}`
  const replay = replay_ms === null ? '' : ` (${formatDuration(replay_ms)} of it for replaying WAL)`
  return `; proven on PostgreSQL ${postgres_version}${ready}${replay}`
}

function summary({ checks, root }: Omit<VerifyResult, 'leftOut'>): string {
  const bad = checks.filter(({ faults }) => faults.length > 0).length
  const faulty = bad === 0 ? 'none has faults' : `${bad} ${bad === 1 ? 'has' : 'have'} faults`
  return `${checks.length} backups in ${root} were checked, ${faulty}`
}
