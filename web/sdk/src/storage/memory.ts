/** Storage that ends with the page. The default, and the reference for other implementations. */
import type { ChatStorage } from "../platform/ports.js";

export function memoryStorage(): ChatStorage {
  const entries = new Map<string, unknown>();
  return {
    volatile: true,
    get: async (key) => structuredClone(entries.get(key)),
    list: async (prefix) =>
      [...entries]
        .filter(([key]) => key.startsWith(prefix))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, value]) => [key, structuredClone(value)] as const),
    write: async (changes) => {
      for (const { key, value } of changes) {
        if (value === undefined) entries.delete(key);
        else entries.set(key, structuredClone(value));
      }
    },
  };
}
