// Why a message was not sent, in words.
import type { ChatError } from "@colloquy/sdk";

import type { Messages } from "../../i18n/en.ts";

export function failureText(error: ChatError | null, texts: Messages["chat"]["failure"]): string {
  switch (error?.code) {
    case "too_old":
      return texts.tooOld;
    case "too_large":
      return texts.tooLong;
    case "not_member":
    case "forbidden":
      return texts.notMember;
    case "not_found":
      return texts.notFound;
    case "conflict":
      return texts.conflict;
    case "invalid":
    case "malformed":
      return texts.invalid;
    default:
      return texts.other;
  }
}
