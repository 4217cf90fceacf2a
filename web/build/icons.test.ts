import { join } from "node:path";
import { expect, test } from "vitest";

import { ICONS } from "../ui/icons/names.ts";
import { iconsOf } from "./icons.ts";

const WEB = join(import.meta.dirname, "..");
const of = (module: string) => [...iconsOf(join(WEB, module))];

test("the start page has the icons of the pages without a login, and the shell those of the others", () => {
  expect(of("app/main.ts")).toEqual(expect.arrayContaining(["eye", "circle-alert"]));
  expect(of("app/main.ts")).not.toContain("smile");
  // Named by the composer, by a part that is loaded later, and by a component with a table.
  expect(of("app/shell/Shell.svelte")).toEqual(
    expect.arrayContaining(["smile", "user-minus", "triangle-alert"]),
  );
});

test("every icon is used by a page", () => {
  const pages = ["app", "docs", "guarantees"];
  const used = pages.flatMap((name) => of(`${name}/main.ts`));
  expect([...new Set([...used, ...of("app/shell/Shell.svelte")])].sort()).toEqual(
    [...ICONS].sort(),
  );
});
