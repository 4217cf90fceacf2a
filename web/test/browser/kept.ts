// What a failed test leaves behind: a picture of each of its pages, and what they wrote to their consoles.
//
// KEPT names the directory. Without it nothing is kept.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BrowserContext } from "playwright-core";
import { onTestFailed, TestRunner } from "vitest";

const KEPT = process.env["KEPT"];

/** Keeps what the pages of a context show if the test that runs now fails. */
export function keepIfFailed(context: BrowserContext): void {
  const test = TestRunner.getCurrentTest();
  // What a hook opens belongs to no test.
  if (!KEPT || !test) return;
  const written: string[] = [];
  context.on("console", (message) => written.push(`${message.type()}: ${message.text()}`));
  context.on("weberror", (thrown) => written.push(String(thrown.error().stack)));
  onTestFailed(() => keep(context, `${fileOf(test.file.name)}-${test.name}`, written, KEPT));
}

async function keep(
  context: BrowserContext,
  test: string,
  written: readonly string[],
  directory: string,
): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const base = join(directory, `${fileName(test)}-${++contexts}`);
  writeFileSync(`${base}.log`, written.map((line) => `${line}\n`).join(""));
  console.log(`kept: ${base}.log`);
  for (const [at, page] of context.pages().entries()) {
    const path = `${base}-${at + 1}.png`;
    // A page that does not answer is no reason to keep nothing of the others.
    const kept = await page.screenshot({ path, timeout: 5_000 }).then(
      () => true,
      () => false,
    );
    console.log(kept ? `kept: ${path}` : `no picture of ${page.url()}`);
  }
}

let contexts = 0;

const fileOf = (path: string): string => path.replace(/^.*\//, "").replace(/\.test\.ts$/, "");

const fileName = (text: string): string =>
  text
    .replace(/[^\w]+/g, "-")
    .slice(0, 100)
    .replace(/-$/, "");
