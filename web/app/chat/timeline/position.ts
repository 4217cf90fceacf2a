// Which message was on top when a conversation was left, for "back" and for a reload of this tab.

export interface SavedPosition {
  readonly number: number;
  /** Its distance from the upper edge, in pixels. */
  readonly offset: number;
}

const keyOf = (conversationId: number) => `colloquy.position.${conversationId}`;

/** `null` forgets: at the end there is nothing to return to. */
export function savePosition(conversationId: number, position: SavedPosition | null): void {
  try {
    if (position) sessionStorage.setItem(keyOf(conversationId), JSON.stringify(position));
    else sessionStorage.removeItem(keyOf(conversationId));
  } catch {
    // Without storage the conversation opens at its end.
  }
}

export function savedPosition(conversationId: number): SavedPosition | null {
  try {
    const value: unknown = JSON.parse(sessionStorage.getItem(keyOf(conversationId)) ?? "null");
    return isPosition(value) ? value : null;
  } catch {
    return null;
  }
}

function isPosition(value: unknown): value is SavedPosition {
  return (
    typeof value === "object" &&
    value !== null &&
    "number" in value &&
    typeof value.number === "number" &&
    "offset" in value &&
    typeof value.offset === "number"
  );
}
