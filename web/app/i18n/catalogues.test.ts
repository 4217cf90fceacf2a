import { expect, test } from "vitest";

import { de } from "./de.ts";
import { en } from "./en.ts";

/** Every text of a catalogue by its path; a function is called with the number 2 or a letter. */
function texts(value: unknown, path = ""): [string, string][] {
  if (typeof value === "string") return [[path, value]];
  if (typeof value === "function") return texts(value("x", 2), path);
  return Object.entries(value as object).flatMap(([key, inner]) =>
    // A sentence of the server is a key of its own, with dots in it.
    path === ".server"
      ? [[`${path}[${key}]`, String(inner)] as [string, string]]
      : texts(inner, `${path}.${key}`),
  );
}

const own = (catalogue: unknown) =>
  texts(catalogue).filter(([path]) => !path.startsWith(".server"));

test("German has exactly the texts of English", () => {
  expect(own(de).map(([path]) => path)).toEqual(own(en).map(([path]) => path));
});

test("no text is empty, and none has white space at its ends", () => {
  for (const [path, text] of [...texts(en), ...texts(de)]) {
    expect(text, path).not.toBe("");
    expect(text, path).toBe(text.trim());
  }
});

test("no German text was left in English", () => {
  const english = new Map(own(en));
  const same = own(de).filter(([path, text]) => english.get(path) === text);
  // The same word in both languages.
  expect(same.map(([path]) => path)).toEqual([
    ".list.by",
    ".settings.system",
    ".settings.systemLanguage",
    ".connection.inTime",
    ".connection.position",
    ".connection.states.offline",
    ".shortcuts.keys.Alt",
    ".shortcuts.keys.Esc",
  ]);
});
