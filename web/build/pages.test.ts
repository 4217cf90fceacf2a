import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { findPages } from "./pages.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "colloquy-pages-"));
  for (const name of ["app", "docs", "ui", "dist"]) mkdirSync(join(root, name));
  for (const name of ["app", "docs", "dist"]) writeFileSync(join(root, name, "index.html"), "");
});

afterEach(() => rmSync(root, { recursive: true }));

test("a directory with an index.html is a page, and app is the start page", () => {
  expect(findPages(root).map(({ name, url }) => [name, url])).toEqual([
    ["app", "/"],
    ["docs", "/docs/"],
  ]);
});
