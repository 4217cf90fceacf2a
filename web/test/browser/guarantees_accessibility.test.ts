// axe on the screens of /guarantees/, in light and dark, both directions, narrow and wide. With
// SHOTS=<directory> each screen is also kept as a picture, to be looked at.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { appear, launch, nameOf, openPage, VARIANTS, violations } from "./harness.ts";
import { RUN_MS } from "./guarantees_harness.ts";

const SHOTS = process.env["SHOTS"];

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
  if (SHOTS) mkdirSync(SHOTS, { recursive: true });
});
afterAll(() => browser.close());

/** Names and buttons are found by their place: their texts are in the language of the variant. */
const button = (page: Page, at: number) => page.locator('[aria-describedby$="-hint"]').nth(at);
const verdict = (page: Page, name: string) =>
  page.locator(`[data-verdict="${name}"]`).waitFor({ timeout: RUN_MS });

test(
  "every screen is accessible",
  async () => {
    const { page, problems, close } = await openPage(browser);
    await page.goto("/guarantees/");
    const found: string[] = [];
    for (const variant of VARIANTS) {
      const look = async (screen: string): Promise<void> => {
        const where = `${screen} ${nameOf(variant)}`;
        found.push(...(await violations(page)).map((line) => `${where}: ${line}`));
        if (await overflows(page)) found.push(`${where}: wider than the window`);
        const path = `guarantees-${screen}-${nameOf(variant)}.png`;
        if (SHOTS) await page.screenshot({ path: join(SHOTS, path), fullPage: true });
      };
      await appear(page, variant);
      await page.locator("h1").waitFor();
      await look("start");
      await page.locator('form button[type="submit"]').click();
      await page.locator(".good").nth(1).waitFor();
      await button(page, 2).click();
      await page.locator('[data-number="1"]').nth(1).waitFor();
      await verdict(page, "equal");
      await look("equal");
      await page.locator("section[aria-labelledby='Ben-title'] .line button").click();
      await page.locator('section[aria-labelledby="Ben-title"] input').fill("On its way");
      await page.locator('section[aria-labelledby="Ben-title"] input').press("Enter");
      await page.locator(".echo").waitFor();
      await button(page, 11).click();
      await page.locator(".commands").waitFor();
      await verdict(page, "moving");
      await look("broken");
    }
    expect(found).toEqual([]);
    expect(problems).toEqual([]);
    await close();
  },
  10 * RUN_MS,
);

/** Whether one would have to scroll sideways (WCAG 1.4.10). */
const overflows = (page: Page): Promise<boolean> =>
  page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
