// Finding the people of a new conversation. The server has no search for people, so a person is someone one
// shares a conversation with, or someone whose number or link one has.
import type { ConversationSummary, UserId } from "@colloquy/sdk";

import { matches } from "../list/order.ts";
import { displayName, type Person } from "../people/names.ts";
import { hrefOf, parseId, parseRoute } from "../routing/routes.ts";

/** How many people are suggested at once. */
const SUGGESTIONS = 6;

/** Everybody who shares a loaded conversation with the user, the most recent first. */
export function knownPeople(
  conversations: readonly ConversationSummary[],
  ownId: UserId,
): readonly Person[] {
  const people = new Map<UserId, Person>();
  for (const person of conversations.flatMap(({ participants }) => participants)) {
    if (person.id !== ownId && !people.has(person.id)) people.set(person.id, person);
  }
  return [...people.values()];
}

/** The link that starts a conversation with a user. */
export const inviteLink = (origin: string, id: UserId): string =>
  `${origin}/${hrefOf({ name: "create", personId: id })}`;

/** The number in `12`, `#12`, or someone's link; null if the text is neither. */
export function parsePerson(text: string): UserId | null {
  const trimmed = text.trim();
  const hash = /#\/new\/\d+\/?$/.exec(trimmed)?.[0];
  if (hash) {
    const route = parseRoute(hash);
    return route.name === "create" ? route.personId : null;
  }
  return parseId(trimmed.replace(/^#/, ""));
}

/** The people whose name matches what was typed, without those who were chosen. */
export function suggestPeople(
  people: readonly Person[],
  text: string,
  chosen: readonly UserId[],
): readonly Person[] {
  return people
    .filter(({ id }) => !chosen.includes(id))
    .filter((person) => matches(text, [displayName(person), person.username]))
    .slice(0, SUGGESTIONS);
}

/** The number that the server says does not exist, in its answer to a creation. */
export function unknownNumber(sentence: string): string | null {
  return /^Invalid pk "(\d+)"/.exec(sentence)?.[1] ?? null;
}
