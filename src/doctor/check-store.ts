import { withIdentitiesIn } from '../config/identities.js'
import type { Task } from '../config/load.js'
import type { StoreConfig } from '../config/schema.js'
import type { Context } from '../context.js'
import { openObjectStore } from '../place/open-object-store.js'
import { type Check, failed, ok, warning } from './check.js'
import { probeStore } from './probe-store.js'

/**
 * What uploads to a store and downloads from it need: it is really written to, and what was written is removed.
 * @param text its name in the configuration, or where it is.
 */
export async function checkStore(text: string, { settings, context }: Task): Promise<Check[]> {
  const config: Partial<StoreConfig> = Object.hasOwn(settings.stores, text)
    ? (settings.stores[text] ?? {})
    : {}
  try {
    const store = await openObjectStore(text, context, settings.stores)
    const probed = await probeStore({ store, name: text, partSize: config.part_size }, context)
    return [...probed, await checkKeys(text, config, context)]
  } catch (error) {
    return [failed(`${text}: open`, error)]
  }
}

/** Whether what is sent there can be read by somebody, and by whom. */
async function checkKeys(
  text: string,
  { recipients = [], identity }: Partial<StoreConfig>,
  context: Context,
): Promise<Check> {
  const name = `${text}: keys`
  if (recipients.length === 0)
    return warning(name, 'backups lie there as they are: not encrypted', encrypt(context))
  try {
    const { newFileKey, openFileKey } = await import('../encryption/file-key.js')
    const { headerIn } = await import('../encryption/header.js')
    const { header } = await newFileKey(recipients)
    const count = `${recipients.length} ${recipients.length === 1 ? 'recipient' : 'recipients'}`
    const identities = await withIdentitiesIn(identity, context)()
    if (identities.length === 0)
      return ok(name, `encrypted for ${count}; no identity here reads it, which is right on a server`)
    const found = headerIn(header, 'the probe')
    if (found) await openFileKey(found, identities, 'what is sent there', recipients)
    return ok(name, `encrypted for ${count}; an identity here reads it`)
  } catch (error) {
    return failed(name, error)
  }
}

function encrypt({ pgbk }: Context): string {
  return `Make a key, keep its file elsewhere, and name its recipient as one of the recipients of this store:\n  ${pgbk('key new')}`
}
