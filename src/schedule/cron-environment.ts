import type { SystemUser } from '../context.js'

/** What cron gives a command (crontab(5)): these four, and what stands in the crontab above the line. */
export function cronEnvironment({ name, home }: SystemUser, crontab: string): Record<string, string> {
  const own = { HOME: home, LOGNAME: name, SHELL: '/bin/sh', PATH: '/usr/bin:/bin' }
  return { ...own, ...assignmentsIn(crontab) }
}

/** LOGNAME cannot be changed. */
function assignmentsIn(crontab: string): Record<string, string> {
  const assignments = crontab.split('\n').flatMap((line): [string, string][] => {
    const [, quoted, plain, value = ''] = /^\s*(?:["'](\w+)["']|(\w+))\s*=\s*(.*?)\s*$/.exec(line) ?? []
    const name = quoted ?? plain
    return name === undefined || name === 'LOGNAME' ? [] : [[name, value.replace(/^(["'])(.*)\1$/, '$2')]]
  })
  return Object.fromEntries(assignments)
}
