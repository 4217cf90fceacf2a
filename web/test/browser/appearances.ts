// The appearances in which every screen must be accessible, and what is wrong with a screen in them: light and
// dark, both directions, narrow and wide.
//
// With SHOTS=<directory> each screen is also kept as a picture, to be looked at.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import axe from "axe-core";
import type { Page } from "playwright-core";

export const SHOTS = process.env["SHOTS"];
if (SHOTS) mkdirSync(SHOTS, { recursive: true });

/** What the page is loaded for. Both colour schemes are looked at without loading it again. */
export const LAYOUTS = (["en", "ar-XB"] as const).flatMap((locale) =>
  ([320, 1280] as const).map((width) => ({ locale, width })),
);

export type Layout = (typeof LAYOUTS)[number];

/** Gives the page another layout and loads it again. */
export async function arrange(page: Page, { locale, width }: Layout): Promise<void> {
  await page.setViewportSize(sizeOf(width));
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  await page.evaluate((chosen) => {
    localStorage.setItem("colloquy.settings", JSON.stringify({ locale: chosen }));
  }, locale);
  await page.reload();
}

export const sizeOf = (width: number) => ({ width, height: width < 900 ? 640 : 800 });

const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** The rules whose result depends on colours. The others see the same page in both schemes. */
const COLOUR_RULES = ["color-contrast", "link-in-text-block"];

const SCHEMES = ["light", "dark"] as const;

/** What is wrong with a screen in both colour schemes, one finding a line; empty if nothing is. */
export async function inspect(
  page: Page,
  screen: string,
  layout: Layout,
  schemes: readonly (typeof SCHEMES)[number][] = SCHEMES,
): Promise<string[]> {
  const found: string[] = [];
  for (const scheme of schemes) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
    await drawn(page);
    const name = `${screen}-${scheme}-${layout.locale === "en" ? "ltr" : "rtl"}-${layout.width}`;
    const violations = await violationsOf(page, scheme === "light" ? TAGS : COLOUR_RULES);
    found.push(...violations.map((line) => `${name}: ${line}`));
    if (SHOTS) await page.screenshot({ path: join(SHOTS, `${name}.png`) });
  }
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  if (await overflows(page)) found.push(`${screen} ${layout.width}: wider than the window`);
  return found;
}

/** Its colours are those of the scheme once the page is drawn again. */
const drawn = (page: Page): Promise<unknown> =>
  page.evaluate(
    () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
  );

/** Whether one would have to scroll sideways (WCAG 1.4.10). */
const overflows = (page: Page): Promise<boolean> =>
  page.evaluate(() => document.documentElement.scrollWidth > innerWidth);

/** What axe finds, by tags or by the names of rules. */
async function violationsOf(page: Page, runOnly: string[]): Promise<string[]> {
  const isLoaded = await page.evaluate(() => "axe" in globalThis);
  if (!isLoaded) await page.evaluate(axe.source);
  const { violations } = await page.evaluate(
    // `axe` is what the line above has defined in the page.
    (only) =>
      (globalThis as unknown as { axe: typeof axe }).axe.run({
        runOnly: only,
        resultTypes: ["violations"],
      }),
    runOnly,
  );
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(
      (node) => `${id}: ${node.target.join(" ")} ${node.failureSummary?.split("\n")[1] ?? ""}`,
    ),
  );
}
