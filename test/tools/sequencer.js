// The order in which jest runs the test files: the longest first, so that all workers end together. jest itself knows how long they
// take only where they have run before, and a run of CI begins anew.
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import Sequencer from '@jest/test-sequencer'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** About how long those took that need 15 s or more, one day with as many workers as jest.config.js has, or one more: it is their order that matters. */
const seconds = JSON.parse(readFileSync(new URL('seconds.json', import.meta.url), 'utf8'))

const weight = ({ path }) => {
  const name = relative(root, path)
  return seconds[name] ?? (name.startsWith('test/e2e/') ? 10 : 1)
}

export default class LongestFirst extends Sequencer {
  sort(tests) {
    return [...super.sort(tests)].sort((a, b) => weight(b) - weight(a))
  }
}
