import type { Environment } from '../../context.js'
import { withSearchPath } from '../paths/search-path.js'

/** The caller's environment with messages in English, and with a PATH that means the same everywhere. */
export function programEnvironment(env: Environment): Environment {
  const { LANGUAGE: _language, ...kept } = withSearchPath(env)
  return { ...kept, LC_ALL: 'C' }
}
