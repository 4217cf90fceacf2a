// Which message was on top when a conversation was left, for "back" and for a reload of this tab.

export interface SavedPosition {
  readonly number: number;
  /** Its distance from the upper edge, in pixels. */
  readonly offset: number;
}

/** Where it is, for one user: the next one to log in reads elsewhere. */
export interface PositionOf {
  readonly userId: number;
  readonly conversationId: number;
}

const keyOf = ({ userId, conversationId }: PositionOf) =>
  `colloquy.position.${userId}.${conversationId}`;

/** `null` forgets: at the end there is nothing to return to. */
export function savePosition(of: PositionOf, position: SavedPosition | null): void {
  try {
    if (position) sessionStorage.setItem(keyOf(of), JSON.stringify(position));
    else sessionStorage.removeItem(keyOf(of));
  } catch {
    // Without storage the conversation opens at its end.
  }
}

export function savedPosition(of: PositionOf): SavedPosition | null {
  try {
    const value: unknown = JSON.parse(sessionStorage.getItem(keyOf(of)) ?? "null");
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
