// How long a page takes until it shows something, and until a person can use it, on a slow device and line.
import type { Page } from "playwright-core";

import { Devtools } from "./devtools.ts";
import "./probe.ts";

export interface Load {
  readonly firstPaint: number;
  readonly usable: number;
  /** Layout shift until everything was shown. */
  readonly shift: number;
}

/** A page of this origin that runs no script. */
const ELSEWHERE = "/robots.txt";

/** A first visit: nothing of the application is in the browser, except perhaps a login. */
export async function firstVisit(page: Page, hash: string): Promise<Load> {
  const devtools = await Devtools.of(page);
  await page.goto(ELSEWHERE);
  await page.evaluate(forgetStored);
  await devtools.forgetFiles();
  return visit(page, devtools, hash);
}

/** A later visit: the files and what was stored of the conversations are there. */
export const nextVisit = async (page: Page, hash: string): Promise<Load> => {
  await page.goto(ELSEWHERE);
  return visit(page, await Devtools.of(page), hash);
};

async function visit(page: Page, devtools: Devtools, hash: string): Promise<Load> {
  await devtools.slowDown(4);
  await devtools.slowLine(true);
  await page.goto(`/${hash}`);
  const signedIn = hash !== "";
  await page.waitForFunction(
    (whole) => probe.firstPaint !== null && (!whole || probe.usable !== null),
    signedIn,
  );
  if (signedIn) await page.locator("li[data-number]").first().waitFor();
  const load = await page.evaluate(() => ({
    firstPaint: probe.firstPaint ?? Number.NaN,
    usable: probe.usable ?? Number.NaN,
    shift: probe.layoutShift,
  }));
  await devtools.slowLine(false);
  await devtools.slowDown(1);
  return load;
}

/** Runs in the page. Removes what is stored of conversations, and keeps the login. */
async function forgetStored(): Promise<void> {
  // Opening a database that does not exist would create it without its store.
  const databases = await indexedDB.databases();
  if (!databases.some(({ name }) => name === "colloquy")) return;
  const result = <T>(request: IDBRequest<T>) =>
    new Promise<T>((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const database = await result(indexedDB.open("colloquy"));
  const store = database.transaction("entries", "readwrite").objectStore("entries");
  await result(store.delete(IDBKeyRange.bound("user/", "user/\uffff")));
  database.close();
}
