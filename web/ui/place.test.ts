import { expect, test } from "vitest";

import { placePopup } from "./place.ts";

const viewport = { width: 400, height: 600 };
const popup = { width: 180, height: 200 };
const button = { left: 100, top: 50, width: 40, height: 40 };

test("a popup is below its button and aligned with its start", () => {
  expect(placePopup(button, popup, viewport, "start", false)).toEqual({ left: 100, top: 94 });
});

test("the start of a right-to-left page is on the right", () => {
  const right = { ...button, left: 300 };
  expect(placePopup(right, popup, viewport, "start", true).left).toBe(160);
  expect(placePopup(right, popup, viewport, "end", false).left).toBe(160);
});

test("a popup near the lower edge is above its button", () => {
  expect(placePopup({ ...button, top: 540 }, popup, viewport, "start", false).top).toBe(336);
});

test("a popup stays in the viewport", () => {
  expect(placePopup({ ...button, left: 380 }, popup, viewport, "start", false).left).toBe(212);
  expect(placePopup({ ...button, left: 2 }, popup, viewport, "end", false).left).toBe(8);
});

test("a popup larger than the viewport shows its start", () => {
  const large = { width: 500, height: 700 };
  expect(placePopup(button, large, viewport, "start", false)).toEqual({ left: 8, top: 8 });
});
