// axe on the screens of /guarantees/ in every appearance.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { arrange, inspect, LAYOUTS } from "./appearances.ts";
import { RUN_MS } from "./guarantees_harness.ts";
import { launch, openPage } from "./harness.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
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
    for (const layout of LAYOUTS) {
      const look = async (screen: string): Promise<void> => {
        found.push(...(await inspect(page, `guarantees-${screen}`, layout)));
      };
      await arrange(page, layout);
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
