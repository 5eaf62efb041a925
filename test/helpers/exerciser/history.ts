import * as fs from 'node:fs'
import { compare, compareContents } from './compare.js'
import { Ground, type Operation } from './ground.js'
import { allocate, changeMode, changeTime, openFile, read, truncate, useOpen, write } from './on-contents.js'
import { copy, create, list, makeDirectory, makeHardLink, makeLink, remove, rename } from './on-names.js'

/** One random history of a directory, done to it and to a model of it. */
export class History {
  readonly #ground: Ground

  constructor(root: string, seed: number) {
    this.#ground = new Ground(root, seed)
  }

  /** What was done so far, for people. */
  get log(): string[] {
    return this.#ground.log
  }

  /** Throws where directory and model differ. */
  run(steps: number): void {
    const { root, model, open, log } = this.#ground
    for (let step = 0; step < steps; step++) {
      const [name, operation] = this.#ground.pick(operations)
      log.push(name)
      operation(this.#ground)
    }
    compare(model, root)
    for (const { descriptor, file } of open) {
      compareContents(file, descriptor)
      fs.closeSync(descriptor)
    }
    fs.rmSync(Buffer.from(root, 'latin1'), { recursive: true })
  }
}

const compareAll: Operation = ({ next, model, root }) => {
  if (next(6) === 0) compare(model, root)
}

/** So often. */
function times(count: number, name: string, operation: Operation): [string, Operation][] {
  return Array.from({ length: count }, () => [name, operation])
}

const operations: [string, Operation][] = [
  ...times(6, 'write', write),
  ...times(3, 'read', read),
  ...times(3, 'truncate', truncate),
  ['allocate', allocate],
  ['create', create],
  ['mkdir', makeDirectory],
  ['symlink', makeLink],
  ['link', makeHardLink],
  ['remove', remove],
  ...times(2, 'rename', rename),
  ['chmod', changeMode],
  ['utimes', changeTime],
  ['open', openFile],
  ...times(2, 'use what is open', useOpen),
  ['copy', copy],
  ['list', list],
  ['compare', compareAll],
]
