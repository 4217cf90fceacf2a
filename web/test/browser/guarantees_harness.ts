// The page at /guarantees/ as a test uses it: start it, press a button, wait for the verdict.
import type { Page } from "playwright-core";
import { expect } from "vitest";

/** A server with a throttle takes 20 seconds for 20 messages of a person. */
export const RUN_MS = 150_000;

export async function startDemonstration(page: Page, hash = ""): Promise<void> {
  await page.goto(`/guarantees/${hash}`);
  await page.getByRole("button", { name: /^Start/ }).click();
  await page.getByTestId("Ben-status").getByText("Live").waitFor();
}

/** The button of an experiment; its name may end with the verdict of the last run. */
export const experiment = (page: Page, title: string) =>
  page.getByRole("button", { name: new RegExp(`^${title}( |$)`) });

/** Presses the button of an experiment and returns what the page says when it is done. */
export async function press(page: Page, title: string): Promise<string> {
  await experiment(page, title).click();
  const item = page.getByRole("listitem").filter({ has: experiment(page, title) });
  await item.getByText(/^(Agreed|Differed|Not settled)$/).waitFor({ timeout: RUN_MS });
  return (await item.textContent())?.replace(/\s+/g, " ").trim() ?? "";
}

export async function number(page: Page, name: string): Promise<number> {
  const text = await page.getByTestId(name).textContent();
  return Number(text?.replaceAll(",", ""));
}

/** Everything is stored once and shown in one order, and the counters say so. */
export async function expectEqual(page: Page): Promise<number> {
  expect(await page.getByTestId("verdict").getAttribute("data-verdict")).toBe("equal");
  const accepted = await number(page, "accepted");
  for (const name of ["acknowledged", "stored", "shown-Ann", "shown-Ben"]) {
    expect(await number(page, name), name).toBe(accepted);
  }
  for (const name of ["duplicates", "lost", "gaps"]) expect(await number(page, name), name).toBe(0);
  const digest = await page.getByTestId("digest-server").textContent();
  expect(await page.getByTestId("digest-Ann").textContent()).toBe(digest);
  expect(await page.getByTestId("digest-Ben").textContent()).toBe(digest);
  return accepted;
}
