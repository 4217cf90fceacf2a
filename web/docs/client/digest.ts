// A digest of JSON values by which the page notices other documents than those it was built from. Not
// cryptographic: `crypto.subtle` is missing on pages served over plain HTTP.

export function digest(...values: readonly unknown[]): string {
  const text = JSON.stringify(values.map(sorted));
  // FNV-1a, twice with different starts.
  return [0x811c9dc5, 0x01234567].map((start) => fnv(text, start)).join("");
}

function fnv(text: string, start: number): string {
  let hash = start;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, "0");
}

/** The same value with the names of every object in order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, one]) => [name, sorted(one)]));
}
