/** What a person can ask a copy's data to be as of. */
export type Moment = { kind: 'snapshot' } | { kind: 'latest' }
