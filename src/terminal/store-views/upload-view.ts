import { formatBytes, formatDuration } from '../../text/format.js'
import type { Upload } from '../../upload/upload-one.js'
import { printableLines, type Screen, type Style } from '../screen.js'
import { type Column, tableLines } from '../table.js'

export function uploadJson(uploads: Upload[]): object {
  return { uploads: uploads.map(oneUploadJson) }
}

function oneUploadJson(upload: Upload): object {
  const { backup, store, location, recipients, wasThere, sentBytes, sentWalFiles, durationMs, error } = upload
  return {
    id: backup.id,
    store,
    location: location ?? null,
    already_there: wasThere,
    sent_bytes: sentBytes,
    sent_wal_files: sentWalFiles,
    encrypted: recipients.length > 0,
    duration_ms: durationMs,
    error: error ? { code: error.code, message: error.message, hint: error.hint ?? null } : null,
  }
}

/** Every backup and store, and how it has ended; quiet, only what has failed. */
export function uploadText(uploads: Upload[], { style, quiet, width }: Screen): string {
  const shown = uploads.filter(({ error }) => !quiet || error)
  if (shown.length === 0) return quiet ? '' : 'The stores have every backup already.\n'
  const failures = shown.flatMap(({ error, backup, store }) =>
    error ? [`${backup.id} to ${store}: ${error.message}`, ...hintLines(error.hint)].map(printableLines) : [],
  )
  const lines = [
    ...tableLines(columns(style), shown, width),
    ...(failures.length > 0 ? ['', ...failures] : []),
  ]
  return lines.map((line) => `${line}\n`).join('')
}

function hintLines(hint: string | undefined): string[] {
  return hint === undefined ? [] : hint.split('\n').map((line) => `  ${line}`)
}

function columns(style: Style): Column<Upload>[] {
  return [
    { title: 'ID', value: ({ backup }) => backup.id, paint: style.strong },
    { title: 'STORE', value: ({ store }) => store, expendable: 1 },
    {
      title: 'STATE',
      value: stateOf,
      paint: (text, { error }) => (error ? style.bad(text) : style.good(text)),
    },
    { title: 'SENT', value: ({ sentBytes }) => formatBytes(sentBytes), align: 'right' },
    { title: 'WAL FILES', value: ({ sentWalFiles }) => String(sentWalFiles), align: 'right', expendable: 3 },
    { title: 'ENCRYPTED', value: ({ recipients }) => (recipients.length > 0 ? 'yes' : 'no'), expendable: 2 },
    { title: 'TOOK', value: ({ durationMs }) => formatDuration(durationMs), align: 'right' },
  ]
}

function stateOf({ error, wasThere }: Upload): string {
  if (error) return 'failed'
  return wasThere ? 'was there' : 'uploaded'
}
