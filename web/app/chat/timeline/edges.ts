// When more messages are read: before a person who scrolls reaches the edge of what is loaded.

export interface EdgeView {
  readonly top: number;
  readonly height: number;
  readonly content: number;
  /** Where the person scrolls to. `none`: the content is shorter than the viewport. */
  readonly direction: "up" | "down" | "none";
  readonly atStart: boolean;
  readonly atEnd: boolean;
}

/** Reading begins this many screens before the edge. */
const SCREENS = 2;

/**
 * The direction counts because the window is bounded: a page at one end removes one at the other, and on
 * a high screen both edges are near.
 */
export function wantedEdge(view: EdgeView): "earlier" | "later" | null {
  // A timeline that is not on the screen has no edge that anyone comes near.
  if (view.height === 0) return null;
  const above = view.top;
  const below = view.content - view.height - view.top;
  const near = Math.min(SCREENS * view.height, view.content / 3);
  if (view.content <= view.height) return view.atStart ? (view.atEnd ? null : "later") : "earlier";
  if (view.direction === "up" && !view.atStart && above < near) return "earlier";
  if (view.direction === "down" && !view.atEnd && below < near) return "later";
  return null;
}
