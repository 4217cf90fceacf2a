// Where a popup goes beside its button. It is placed by script because the CSS of anchors is newer than the
// browsers this client supports.

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

const GAP = 4;
const MARGIN = 8;

/**
 * The top left corner of a popup, in pixels of the viewport: below the button and aligned with its start
 * or end; above it if there is more room; never outside the viewport while it fits.
 */
export function placePopup(
  button: Box,
  popup: Size,
  viewport: Size,
  align: "start" | "end",
  rtl: boolean,
): { left: number; top: number } {
  const alignLeft = (align === "start") !== rtl;
  const wantedLeft = alignLeft ? button.left : button.left + button.width - popup.width;
  const below = button.top + button.height + GAP;
  const above = button.top - GAP - popup.height;
  const fitsBelow = below + popup.height <= viewport.height - MARGIN;
  const wantedTop = fitsBelow || above < MARGIN ? below : above;
  return {
    left: clamp(wantedLeft, MARGIN, viewport.width - MARGIN - popup.width),
    top: clamp(wantedTop, MARGIN, viewport.height - MARGIN - popup.height),
  };
}

/** `low` wins if the popup is larger than the viewport: then its start is visible. */
function clamp(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(value, high));
}
