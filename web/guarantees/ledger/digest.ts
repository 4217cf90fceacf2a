// SHA-256 over what a history is: every position, id, version and text, in order.
import { canonical, type Row } from "./ledger.ts";

/** In hexadecimal; `null` where the browser has no WebCrypto, which is so for plain HTTP off localhost. */
export async function digestOf(rows: readonly Row[]): Promise<string | null> {
  // Typed as always there, but undefined outside secure contexts.
  const subtle = globalThis.crypto.subtle as SubtleCrypto | undefined;
  if (!subtle) return null;
  const bytes = await subtle.digest("SHA-256", new TextEncoder().encode(canonical(rows)));
  return [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
