/** The variable by which the process that serves an image learns the pid of who mounts it. */
export const holderName = 'PGBK_SERVED_TO'
