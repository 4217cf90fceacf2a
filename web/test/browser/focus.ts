// Where the focus is, and the way there with Tab, for tests without a mouse.
import type { Page } from "playwright-core";
import { expect } from "vitest";

interface Focus {
  /** What a screen reader would say, roughly. */
  readonly name: string;
  readonly visible: boolean;
}

export async function focus(page: Page): Promise<Focus> {
  return page.evaluate(() => {
    const element = document.activeElement;
    if (!(element instanceof HTMLElement) || element === document.body)
      return { name: "", visible: false };
    const label = element instanceof HTMLInputElement ? element.labels?.[0]?.textContent : null;
    const name = element.getAttribute("aria-label") ?? label ?? element.textContent;
    // The ring is on the field's box where the field has none of its own.
    const ringed = [element, element.parentElement, element.closest("label")].some((candidate) => {
      if (!candidate) return false;
      const style = getComputedStyle(candidate);
      const after = getComputedStyle(candidate, "::after");
      return style.outlineStyle !== "none" || after.backgroundColor !== "rgba(0, 0, 0, 0)";
    });
    return { name: name.trim().replace(/\s+/g, " "), visible: ringed };
  });
}

/** Presses Tab until the focus is on an element of this name; each step must be visible. */
export async function tabTo(page: Page, name: RegExp): Promise<void> {
  for (let step = 0; step < 40; step++) {
    await page.keyboard.press("Tab");
    const at = await focus(page);
    // Between the last element and the first, the focus is in the browser itself.
    if (at.name === "") continue;
    expect(at.visible, `focus on "${at.name}"`).toBe(true);
    if (name.test(at.name)) return;
  }
  throw new Error(`Tab does not reach ${name}`);
}

export const focusName = async (page: Page): Promise<string> => (await focus(page)).name;
