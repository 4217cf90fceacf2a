// What a row of the list says about its conversation.
import type { ConversationSummary } from "@colloquy/sdk";

import { cut } from "../../ui/graphemes.ts";
import { isolate } from "../../ui/i18n/isolate.ts";
import { displayName } from "../people/names.ts";
import type { Messages } from "../i18n/en.ts";

export interface Preview {
  readonly kind: "draft" | "message" | "deleted" | "none";
  readonly text: string;
}

/** More is never visible in one line, and a text of 4,000 characters costs layout in every row. */
const VISIBLE_CHARS = 160;

/** The draft if there is one, otherwise the last message. */
export function previewOf(
  conversation: ConversationSummary,
  ownId: number,
  draft: string | undefined,
  texts: Messages["list"],
): Preview {
  if (draft?.trim()) return { kind: "draft", text: oneLine(draft) };
  const last = conversation.last_message;
  if (!last) return { kind: "none", text: texts.noMessages };
  if (last.content === "") return { kind: "deleted", text: texts.deleted };
  const text = oneLine(last.content);
  if (last.sender_id === ownId) return { kind: "message", text: texts.you(text) };
  if (conversation.kind === "direct") return { kind: "message", text };
  const sender = conversation.participants.find(({ id }) => id === last.sender_id);
  const name = sender ? displayName(sender) : last.sender;
  return { kind: "message", text: texts.by(isolate(name), text) };
}

function oneLine(text: string): string {
  const line = cut(text, VISIBLE_CHARS * 4)
    .trim()
    .replace(/\s+/gu, " ");
  return cut(line, VISIBLE_CHARS);
}
