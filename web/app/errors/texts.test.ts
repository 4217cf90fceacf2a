import type { ChatError } from "@colloquy/sdk";
import { expect, test } from "vitest";

import { de } from "../i18n/de.ts";
import { en } from "../i18n/en.ts";
import { errorText, fieldErrors, generalError } from "./texts.ts";

const error = (more: Partial<ChatError>): ChatError => ({
  code: "invalid",
  message: "Invalid input.",
  retryable: false,
  ...more,
});

test("a known code has a text in the language of the page", () => {
  expect(errorText(error({ code: "network", message: "fetch failed" }), en)).toBe(
    en.errors.network,
  );
  expect(errorText(error({ code: "bad_credentials" }), de)).toBe(de.auth.badCredentials);
});

test("another code shows what the server said", () => {
  expect(errorText(error({ code: "conflict", message: "The group is full." }), en)).toBe(
    "The group is full.",
  );
});

test("the errors of a field are translated where a translation exists", () => {
  const invalid = error({ fields: { password: ["This password is too common.", "New rule."] } });
  expect(fieldErrors(invalid, "password", en)).toEqual([
    "This password is too common.",
    "New rule.",
  ]);
  expect(fieldErrors(invalid, "password", de)).toEqual([
    "Dieses Passwort ist zu verbreitet.",
    "New rule.",
  ]);
  expect(fieldErrors(invalid, "email", en)).toEqual([]);
  expect(fieldErrors(null, "email", en)).toEqual([]);
});

test("an error without a sentence for any field is shown above the form", () => {
  const plain = error({ fields: {} });
  expect(generalError(plain)).toBe(plain);
  expect(generalError(error({ fields: { name: ["Too long."] } }))).toBeNull();
  expect(generalError(null)).toBeNull();
});
