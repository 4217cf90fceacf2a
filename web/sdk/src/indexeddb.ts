/**
 * The entry `@colloquy/sdk/indexeddb`: storage that survives reloads, in one object store. Keys
 * sort as strings do, so a prefix is a range.
 */
import type { ChatStorage } from "./platform/ports.js";

const STORE = "entries";

export interface IndexedDbOptions {
  /** The name of the database. Default: `colloquy`. */
  name?: string;
  /** Default: that of the platform. */
  indexedDB?: IDBFactory;
}

export function indexedDbStorage(options: IndexedDbOptions = {}): ChatStorage {
  // Undefined where the browser has none; then every call fails.
  const { name = "colloquy", indexedDB: factory = globalThis.indexedDB } = options;
  let opened: Promise<IDBDatabase> | null = null;
  const reopen = (): void => void (opened = null);

  const open = (): Promise<IDBDatabase> => {
    opened ??= new Promise<IDBDatabase>((resolve, reject) => {
      const request = factory.open(name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE);
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        const database = request.result;
        // A newer version of the page in another tab, or the browser itself, may close it.
        database.onversionchange = () => {
          database.close();
          reopen();
        };
        database.onclose = reopen;
        resolve(database);
      };
    });
    // A failed attempt is not the last one.
    opened.catch(reopen);
    return opened;
  };

  /** `null` if the browser has lost the connection: the next one is a new one. */
  const begin = (database: IDBDatabase, mode: IDBTransactionMode): IDBTransaction | null => {
    try {
      return database.transaction(STORE, mode);
    } catch {
      reopen();
      return null;
    }
  };

  /** Resolves when the transaction is complete: before that nothing is certain. */
  async function run<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => () => T) {
    const transaction = begin(await open(), mode) ?? (await open()).transaction(STORE, mode);
    return new Promise<T>((resolve, reject) => {
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
      transaction.oncomplete = () => resolve(result());
      let result: () => T;
      try {
        result = work(transaction.objectStore(STORE));
      } catch (error) {
        // A value that cannot be stored: what was written before it is not kept either.
        transaction.abort();
        reject(error as Error);
      }
    });
  }

  return {
    get: (key) =>
      run("readonly", (store) => {
        const request = store.get(key);
        return () => request.result as unknown;
      }),
    list: (prefix) =>
      run("readonly", (store) => {
        const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
        const keys = store.getAllKeys(range);
        const values = store.getAll(range);
        return () =>
          keys.result.map((key, at): [string, unknown] => [String(key), values.result[at]]);
      }),
    write: (changes) =>
      run("readwrite", (store) => {
        for (const { key, value } of changes) {
          if (value === undefined) store.delete(key);
          else store.put(value, key);
        }
        return () => undefined;
      }),
  };
}
