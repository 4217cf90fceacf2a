// The order and the choice of the rows in the list.
import type { ConversationSummary } from "@colloquy/sdk";

import { folded } from "../people/names.ts";

/**
 * The conversations in the order of `shown`, as long as the list must not move (a pointer or the focus is
 * on it). Those that are not in `shown` follow, so that no row moves; those that are gone leave.
 */
export function keepOrder(
  conversations: readonly ConversationSummary[],
  shown: readonly number[],
): readonly ConversationSummary[] {
  const rank = new Map(shown.map((id, index) => [id, index]));
  const rankOf = ({ id }: ConversationSummary) => rank.get(id) ?? shown.length;
  return conversations.toSorted((a, b) => rankOf(a) - rankOf(b));
}

/** Whether every word of the search begins a word of the title or of a member's name. */
export function matches(search: string, names: readonly string[]): boolean {
  const words = names.flatMap((name) => folded(name).split(/[^\p{L}\p{N}]+/u));
  return folded(search)
    .split(/\s+/u)
    .filter(Boolean)
    .every((wanted) => words.some((word) => word.startsWith(wanted)));
}
