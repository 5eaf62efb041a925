import type { InstanceList } from '../commands/instance.js'
import type { RunDirectory } from '../run/run-directory.js'
import { formatAge } from '../units.js'
import type { Screen } from './screen.js'
import { tableLines } from './table.js'

export function runJson({ name, marker, layout }: RunDirectory): object {
  const { backup, detached, started_at, server } = marker
  return { name, backup, detached, started_at, ...server, directory: layout.directory }
}

export function instancesJson({ runs }: InstanceList): object {
  return { instances: [], runs: runs.map(runJson) }
}

export function instancesText({ root, runs }: InstanceList, { width, now, style }: Screen): string {
  if (runs.length === 0) return `Nothing is running in ${root}.\n`
  const [header = '', ...rows] = tableLines(
    [
      { title: 'NAME', value: ({ name }) => name },
      {
        title: 'AGE',
        value: ({ marker }) => formatAge(now.getTime() - Date.parse(marker.started_at)),
        align: 'right',
      },
      { title: 'PORT', value: ({ marker }) => String(marker.server?.port ?? ''), align: 'right' },
      { title: 'DATABASE', value: ({ marker }) => marker.server?.database ?? '' },
      { title: 'KIND', value: ({ marker }) => (marker.detached ? 'detached run' : 'run'), expendable: 1 },
    ],
    runs,
    width,
  )
  return `${[style.strong(header), ...rows].join('\n')}\n`
}

export function stoppedJson(run: RunDirectory): object {
  return { stopped: runJson(run) }
}

export function stoppedText({ name }: RunDirectory, { quiet }: Screen): string {
  return quiet ? '' : `Stopped ${name}; its working copy is removed.\n`
}
