import { expect, test } from "vitest";

import { hrefOf, parentOf, parseId, parseRoute, type Route } from "./routes.ts";

const ROUTES: readonly (readonly [string, Route])[] = [
  ["#/", { name: "home" }],
  ["#/login", { name: "login" }],
  ["#/register", { name: "register" }],
  ["#/new", { name: "create", personId: null }],
  ["#/new/7", { name: "create", personId: 7 }],
  ["#/c/12", { name: "chat", conversationId: 12, pane: "timeline" }],
  ["#/c/12/details", { name: "chat", conversationId: 12, pane: "details" }],
  ["#/settings", { name: "settings" }],
  ["#/connection", { name: "connection" }],
];

test.each(ROUTES)("%s is read and written", (href, route) => {
  expect(parseRoute(href)).toEqual(route);
  expect(hrefOf(route)).toBe(href);
});

test("an empty fragment is the start, and a slash at the end changes nothing", () => {
  expect(parseRoute("")).toEqual({ name: "home" });
  expect(parseRoute("#/settings/")).toEqual({ name: "settings" });
});

test.each([
  "#/c",
  "#/c/x",
  "#/c/0",
  "#/c/1/x",
  "#/c/1/details/x",
  "#/new/x",
  "#/login/1",
  "#/nowhere",
])("%s is unknown", (href) => expect(parseRoute(href).name).toBe("unknown"));

test("an id is a positive safe integer", () => {
  expect(parseId("42")).toBe(42);
  for (const text of ["", "0", "-1", "1.5", "1e3", "9007199254740993"]) {
    expect(parseId(text), text).toBeNull();
  }
});

test("the details of a conversation lead back to it, all else to the list", () => {
  expect(parentOf({ name: "chat", conversationId: 3, pane: "details" })).toMatchObject({
    pane: "timeline",
  });
  expect(parentOf({ name: "chat", conversationId: 3, pane: "timeline" })).toEqual({ name: "home" });
});
