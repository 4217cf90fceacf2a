// F6 moves the focus between the parts of the page. A part is an element with `data-region`, in the order of
// the document: the list, the messages, the composer.

/** The element of each part that had the focus last. */
const lastFocus = new WeakMap<Element, HTMLElement>();

const FOCUSABLE = 'a[href], button:not(:disabled), input, textarea, select, [tabindex="0"]';

const isVisible = (element: HTMLElement): boolean => element.checkVisibility();

/** Remembers where the focus is within its part. Call it for every `focusin`. */
export function rememberFocus(target: EventTarget | null): void {
  if (!(target instanceof HTMLElement)) return;
  const region = target.closest("[data-region]");
  if (region) lastFocus.set(region, target);
}

/** Moves the focus to the next part (1) or the one before (-1), where it was there before. */
export function cycleRegions(step: 1 | -1): void {
  const regions = [...document.querySelectorAll<HTMLElement>("[data-region]")].filter(isVisible);
  if (regions.length === 0) return;
  // The innermost one: the composer is within the messages' part.
  const current = regions.findLastIndex((region) => region.contains(document.activeElement));
  // Without a current part, forward begins at the first and backward at the last.
  const from = current === -1 && step === -1 ? 0 : current;
  const next = regions[(from + step + regions.length) % regions.length];
  if (next) entryOf(next)?.focus();
}

function entryOf(region: HTMLElement): HTMLElement | null {
  const last = lastFocus.get(region);
  if (last?.isConnected && region.contains(last) && isVisible(last)) return last;
  return (
    region.querySelector<HTMLElement>("[data-region-entry]") ??
    region.querySelector<HTMLElement>(FOCUSABLE)
  );
}
