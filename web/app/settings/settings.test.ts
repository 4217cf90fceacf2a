import { expect, test } from "vitest";

import { DEFAULTS, parseSettings } from "./settings.ts";

test("stored settings are read", () => {
  const settings = {
    ...DEFAULTS,
    scheme: "dark",
    locale: "de",
    singleKeys: false,
    listWidth: 300,
  } as const;
  expect(parseSettings(JSON.stringify(settings))).toEqual(settings);
});

test.each([null, "", "null", "[]", "{", '"x"', '{"scheme":"pink","locale":"xx","singleKeys":1}'])(
  "unreadable settings %j are the defaults",
  (json) => expect(parseSettings(json)).toEqual(DEFAULTS),
);

test("a width out of range is brought into it", () => {
  expect(parseSettings('{"listWidth":9000}').listWidth).toBe(400);
  expect(parseSettings('{"listWidth":-1}').listWidth).toBe(280);
});
