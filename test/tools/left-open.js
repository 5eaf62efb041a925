// An environment of jest that names each test file which leaves something open: a socket, a process, a timer. Such a file keeps its
// worker from ending ("A worker process has failed to exit gracefully"). PGBK_TEST_LEFT_OPEN=1 npm test -- ...
import { relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { TestEnvironment } from 'jest-environment-node'

/** So long what has been told to close may take. */
const patienceMs = 200

export default class LeftOpen extends TestEnvironment {
  constructor(config, context) {
    super(config, context)
    this.file = relative(config.projectConfig.rootDir, context.testPath)
    this.before = process.getActiveResourcesInfo()
  }

  async teardown() {
    await super.teardown()
    await sleep(patienceMs)
    const left = process.getActiveResourcesInfo()
    for (const one of this.before) if (left.includes(one)) left.splice(left.indexOf(one), 1)
    if (left.length > 0) process.stderr.write(`left open by ${this.file}: ${left.join(', ')}\n`)
  }
}
