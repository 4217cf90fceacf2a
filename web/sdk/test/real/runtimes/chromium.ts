/** Chromium: the suite in a page of an origin that the servers allow, with IndexedDB. */
import { chromium as playwright } from "playwright-core";
import { bundle, type Runtime, type RuntimeKind } from "./runtime.js";

const PROGRAM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

/** In CORS_ALLOWED_ORIGINS of the servers. The browser asks no server for its page. */
const ORIGIN = "http://localhost:3000";

const ARGUMENTS = [
  // A container has neither a sandbox of its own nor much shared memory.
  "--no-sandbox",
  "--disable-dev-shm-usage",
  // A page without a server may not reach this machine unless a person allows it.
  "--disable-features=LocalNetworkAccessChecks",
];

export const chromium: RuntimeKind = { name: "Chromium", start };

async function start(): Promise<Runtime> {
  const script = await bundle("page");
  const browser = await playwright.launch({
    executablePath: PROGRAM,
    args: ARGUMENTS,
  });
  const page = await browser.newPage();
  const body = "<!doctype html><title>Suite</title>";
  await page.route(`${ORIGIN}/`, (route) => route.fulfill({ contentType: "text/html", body }));
  await page.goto(`${ORIGIN}/`);
  await page.addScriptTag({ content: script, type: "module" });
  await page.waitForFunction(() => "runCase" in window);
  return {
    run: (name, addresses) =>
      page.evaluate(([one, all]) => window.runCase(one, all), [name, addresses] as const),
    end: () => browser.close(),
  };
}
