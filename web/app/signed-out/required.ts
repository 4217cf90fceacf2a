// The one check a form makes before it asks the server: that nothing required is empty. All other rules are
// the server's, which says in words what it does not accept.
import type { ChatError } from "@colloquy/sdk";

/** The empty fields of a form as an error; `null` if none is. */
export function missingFields(
  values: Readonly<Record<string, string>>,
  sentence: string,
): ChatError | null {
  const missing = Object.entries(values).filter(([, value]) => value.trim() === "");
  if (missing.length === 0) return null;
  const fields = Object.fromEntries(missing.map(([name]) => [name, [sentence]]));
  return { code: "invalid", message: sentence, retryable: false, fields };
}
