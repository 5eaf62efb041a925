import type { Invocation } from './command-spec.js'

/** How a call wants to be told of its failure. */
export interface AnswerForm {
  json: boolean
  /** As a monitor's plugin. */
  nagios: boolean
  verbose: boolean
  color: boolean
}

export function answerForm({ options, globals }: Pick<Invocation, 'options' | 'globals'>): AnswerForm {
  return {
    json: globals.json === true,
    nagios: 'nagios' in options && options.nagios === true,
    verbose: globals.verbose === true,
    color: globals.color !== false,
  }
}
