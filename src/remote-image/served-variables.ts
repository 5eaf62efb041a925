/** The variable by which the process that serves an image learns what to decrypt it with. Nobody else is to find it. */
export const secretsName = 'PGBK_SERVED_IDENTITIES'

/** That by which it learns the pid of who mounts the image. */
export const holderName = 'PGBK_SERVED_TO'
