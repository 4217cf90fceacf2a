// The ledger must be able to turn red: the page is built with an outbox that takes a new id for each
// transmission, and served in place of the real one.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";

import { MUTATIONS } from "../../sdk/test/property/mutations.ts";
import { experiment, number, RUN_MS, startDemonstration } from "./guarantees_harness.ts";
import { launch, openPage, SERVER } from "./harness.ts";

const WEB = join(import.meta.dirname, "../..");
let browser: Browser;
const dist = mkdtempSync(join(tmpdir(), "colloquy-broken-"));

beforeAll(async () => {
  browser = await launch();
  await buildBroken();
}, 180_000);
afterAll(async () => {
  await browser.close();
  rmSync(dist, { recursive: true });
});

async function buildBroken(): Promise<void> {
  const mutation = MUTATIONS.find(({ name }) => name === "a new id at each retry");
  if (!mutation) throw new Error("the SDK has no such mutation");
  let applied = false;
  // The test runner has set it to `test`, and the page would be built for development.
  process.env["NODE_ENV"] = "production";
  await build({
    root: WEB,
    configFile: join(WEB, "vite.config.ts"),
    logLevel: "error",
    build: { outDir: dist },
    plugins: [
      {
        name: "broken-outbox",
        enforce: "pre",
        transform(code, id) {
          if (!id.endsWith(`sdk/${mutation.file}`)) return null;
          applied = code.includes(mutation.from);
          return code.replace(mutation.from, mutation.to);
        },
      },
    ],
  });
  if (!applied) throw new Error("the mutation does not fit its file");
}

/**
 * The HTML and its headers stay those of the server. Its entry is replaced, and loads the rest of the broken
 * build by their names.
 */
async function serveBroken(page: Page): Promise<void> {
  const entry = entryOf(readFileSync(join(dist, "guarantees/index.html"), "utf8"));
  const served = entryOf(await (await fetch(`${SERVER}/guarantees/`)).text());
  await page.route("**/assets/*.js", (route) => {
    const { pathname } = new URL(route.request().url());
    const own = pathname === served ? entry : pathname;
    const path = join(dist, own);
    return existsSync(path)
      ? route.fulfill({ path, contentType: "text/javascript" })
      : route.continue();
  });
}

const entryOf = (html: string): string => /src="([^"]*)"/.exec(html)?.[1] ?? "";

test(
  "an outbox that takes a new id for each transmission turns the ledger red",
  async () => {
    const { page, close } = await openPage(browser);
    await serveBroken(page);
    await startDemonstration(page);
    await experiment(page, "Lose the ack").click();
    await page.locator('[data-verdict="different"]').waitFor({ timeout: RUN_MS });
    expect(await number(page, "duplicates")).toBeGreaterThan(0);
    expect(await number(page, "stored")).toBeGreaterThan(await number(page, "accepted"));
    expect(await page.getByTestId("verdict").textContent()).toMatch(
      /Something differs.*Stored more than once/s,
    );
    await close();
  },
  2 * RUN_MS,
);
