// What the page says about an error of the SDK, in the language of the page.
import type { ChatError } from "@colloquy/sdk";

import type { EntryMessages } from "../i18n/en.entry.ts";

/** A sentence for people. Codes without a text of their own show what the server said. */
export function errorText(error: ChatError, t: EntryMessages): string {
  switch (error.code) {
    case "network":
      return t.errors.network;
    case "unexpected":
      return t.errors.unexpected;
    case "unavailable":
    case "request_timeout":
      return t.errors.unavailable;
    case "overloaded":
      return t.errors.overloaded;
    case "throttled":
      return t.errors.throttled;
    case "too_many_attempts":
      return t.errors.tooManyAttempts;
    case "internal":
      return t.errors.internal;
    case "bad_credentials":
      return t.auth.badCredentials;
    default:
      return t.server[error.message] ?? error.message;
  }
}

/** The error, unless it is said at the fields of the form. */
export function generalError(error: ChatError | null): ChatError | null {
  return Object.keys(error?.fields ?? {}).length > 0 ? null : error;
}

/** The errors of one field; empty if it has none. */
export function fieldErrors(
  error: ChatError | null,
  field: string,
  t: EntryMessages,
): readonly string[] {
  const sentences = error?.fields?.[field] ?? [];
  return sentences.map((sentence) => t.server[sentence] ?? sentence);
}
