// How people and conversations are called on the page.
import type { ConversationSummary, User } from "@colloquy/sdk";

import type { Format } from "../../ui/i18n/format.ts";
import { isolate } from "../../ui/i18n/isolate.ts";
import type { Messages } from "../i18n/en.ts";

export type Person = Pick<User, "id" | "username" | "first_name" | "last_name">;

/** The full name if there is one, otherwise the username. */
export function displayName(person: Person): string {
  return withoutOverrides(`${person.first_name} ${person.last_name}`) || person.username;
}

/** A name with controls that end an isolate or override the direction would reorder the text after it. */
const withoutOverrides = (name: string): string =>
  name.replace(/[\u202a-\u202e\u2066-\u2069]/gu, "").trim();

/** How many names a title without a name of its own lists. */
const NAMES = 3;

/** The name of a conversation, or the names of the other members. */
export function conversationTitle(
  conversation: Pick<ConversationSummary, "name" | "participants" | "member_count">,
  ownId: number,
  texts: Messages["list"],
  format: Format,
): string {
  if (conversation.name) return withoutOverrides(conversation.name);
  const others = conversation.participants.filter(({ id }) => id !== ownId);
  if (others.length === 0) return texts.alone;
  const [first] = others;
  if (first && conversation.member_count === 2) return displayName(first);
  const names = others.slice(0, NAMES).map((person) => isolate(displayName(person)));
  const left = conversation.member_count - 1 - names.length;
  return left > 0 ? texts.others(names.join(", "), left) : format.list(names);
}

/** Whose colour and initials a conversation has: the other person of a direct one, else its own id. */
export function conversationFace(
  conversation: Pick<ConversationSummary, "id" | "kind" | "participants">,
  ownId: number,
): { id: number; group: boolean } {
  const other = conversation.participants.find(({ id }) => id !== ownId);
  return conversation.kind === "direct" && other
    ? { id: other.id, group: false }
    : { id: conversation.id, group: true };
}

/** For comparisons: without case, accents and direction controls. */
export function folded(text: string): string {
  return text
    .normalize("NFKD")
    .replace(/[\p{M}\p{Cf}]/gu, "")
    .toLowerCase();
}
