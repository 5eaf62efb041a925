import type { ObjectStore, StoredObject } from '../../src/place/store/object-store.js'

/** A store whose lists show what was there when they last caught up, as those of some providers do; what is asked for by its key is as it is. */
export async function aLateStore(store: ObjectStore) {
  let shown: StoredObject[] = []
  const late: ObjectStore = {
    ...store,
    async *list(prefix) {
      for (const object of shown) if (object.key.startsWith(prefix)) yield object
    },
    async directoriesIn(prefix) {
      const below = shown
        .filter(({ key }) => key.startsWith(prefix))
        .map(({ key }) => key.slice(prefix.length))
      return [...new Set(below.filter((key) => key.includes('/')).map((key) => key.split('/')[0] ?? ''))]
    },
  }
  const catchUp = async () => {
    shown = []
    for await (const object of store.list('')) shown.push(object)
  }
  await catchUp()
  return { late, catchUp }
}
