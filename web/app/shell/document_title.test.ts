import { expect, test } from "vitest";

import { documentTitle } from "./document_title.ts";

test("the title of the document has the subject first, and no sign without one", () => {
  expect(documentTitle("Ann")).toBe("Ann · Colloquy");
  expect([documentTitle(), documentTitle("")]).toEqual(["Colloquy", "Colloquy"]);
});
