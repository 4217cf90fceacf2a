import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

import { serverSentences } from "./de.server.ts";
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

/** The sentences in the sources of the server and of the SDK, as patterns: `{…}` is any text. */
function sourceSentences(): RegExp[] {
  const roots = ["core/src", "proto/src", "web/sdk/src"];
  const files = roots.flatMap((root) => {
    const path = join(import.meta.dirname, "../../..", root);
    const names = readdirSync(path, { recursive: true, encoding: "utf8" });
    return names.filter((name) => /\.(rs|ts)$/.test(name)).map((name) => join(path, name));
  });
  const literals = files.flatMap((file) => readFileSync(file, "utf8").match(/"[A-Z][^"]*"/g) ?? []);
  return [...new Set(literals)].map((literal) => {
    const parts = literal
      .slice(1, -1)
      .replace(/\\\n\s*/g, "")
      .split(/\{[^}]*\}/);
    return new RegExp(`^${parts.map((part) => part.replace(/[^\w\s]/g, "\\$&")).join(".+")}$`);
  });
}

test("every sentence that is translated is one of the server or of the SDK", () => {
  const known = sourceSentences();
  const translated = Object.keys(serverSentences);
  expect(translated.filter((sentence) => !known.some((one) => one.test(sentence)))).toEqual([]);
});
