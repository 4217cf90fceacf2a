// Examples are what people copy: they are valid, and the three notations of a request send the same.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import { expect, test } from "vitest";

import * as rest from "../../sdk/src/rest.ts";
import { readDocuments } from "../page/documents.ts";
import { codesOf } from "./codes.ts";
import { exampleOf } from "./example.ts";
import { highlight } from "./highlight.ts";
import { operationsOf } from "./openapi.ts";
import { examplePath, samplesOf, sdkArguments } from "./samples.ts";
import { fieldsOf, rulesOf, typeOf } from "./schema.ts";

const WIRE = join(import.meta.dirname, "../../wire");
const load = (name: string) => JSON.parse(readFileSync(join(WIRE, name), "utf8"));
const openapi = load("openapi.json");
const asyncapi = load("asyncapi.json");
const { api, socket } = readDocuments(openapi, asyncapi);
const operations = operationsOf(api);

/** Returns what is wrong with a value, by the schema of a name; nothing if it is valid. */
function validator(document: { components: object }): (name: string, value: unknown) => string[] {
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema({ $id: "document", components: document.components });
  return (name, value) => {
    const validate = ajv.compile({ $ref: `document#/components/schemas/${name}` });
    validate(value);
    return (validate.errors ?? []).map(
      ({ instancePath, message }) => `${name}${instancePath} ${message}`,
    );
  };
}

const restProblems = validator(openapi);
const frameProblems = validator(asyncapi);

test("the example of every body is valid", () => {
  const { schemas } = openapi.components;
  const found = Object.keys(schemas).flatMap((name) =>
    restProblems(name, exampleOf(schemas[name], schemas)),
  );
  expect(found).toEqual([]);
});

test("the example of every frame is valid", () => {
  const frames = [...socket.fromClient, ...socket.fromServer, ...socket.v1];
  const found = frames.flatMap(({ schema, example }) => frameProblems(schema, example));
  expect(found).toEqual([]);
  expect(frames.map(({ name }) => name).sort()).toEqual(
    Object.keys(asyncapi.components.messages).sort(),
  );
});

test("a frame that is wrong is noticed", () => {
  expect(frameProblems("Send", { type: "send", message: "" })).not.toEqual([]);
});

test.each(
  operations.filter(({ id }) => id in rest).map((operation) => [operation.id, operation] as const),
)("the SDK's sample of %s sends what the others send", async (id, operation) => {
  const sent: { url: string; method: string; body: unknown; token: string | null }[] = [];
  const fetch: typeof globalThis.fetch = async (url, init) => {
    const body = init?.body === undefined ? undefined : JSON.parse(String(init.body));
    const token = new Headers(init?.headers).get("authorization");
    sent.push({ url: String(url), method: init?.method ?? "GET", body, token });
    return new Response("[]");
  };
  const http = rest.rest({ baseUrl: "http://server", token: "t", fetch });
  const call = rest[id as keyof typeof rest] as (...values: unknown[]) => Promise<unknown>;
  await call(http, ...(sdkArguments(operation) ?? []));
  expect(sent).toEqual([
    {
      url: `http://server${examplePath(operation)}`,
      method: operation.method,
      body: operation.body?.example,
      token: operation.authenticated ? "Bearer t" : null,
    },
  ]);
});

test("samples of a request with a body", () => {
  const login = operations.find(({ id }) => id === "login")!;
  const [curl, fetch, sdk] = samplesOf(login).map(({ code }) => code);
  expect(curl).toContain(`-d '{ "username": "johndoe", "password": "StrongPass123!" }'`);
  expect(fetch).toContain(`method: "POST"`);
  expect(fetch).toContain(`username: "johndoe"`);
  expect(sdk).toContain(`import { login, rest } from "@colloquy/sdk/rest";`);
});

test("the codes of a status are those the operation may answer", () => {
  const codes = (id: string, status: number) => {
    const operation = operations.find((one) => one.id === id)!;
    const answer = operation.failures.find((one) => one.status === status)!;
    return codesOf(operation, answer, socket.errors);
  };
  expect(codes("login", 401)).toEqual(["bad_credentials"]);
  expect(codes("profile", 401)).toEqual([
    "not_authenticated",
    "token_invalid",
    "token_expired",
    "session_revoked",
  ]);
  expect(codes("register", 429)).toEqual(["too_many_attempts"]);
  expect(codes("sendMessage", 429)).toEqual(["throttled"]);
  expect(codes("listMessages", 403)).toEqual(["not_member"]);
  expect(codes("editMessage", 403)).toEqual(["not_member", "forbidden"]);
});

test("types and rules in words", () => {
  const words = (schema: object) =>
    typeOf(schema)
      .map(({ text }) => text)
      .join("");
  expect(words({ type: ["integer", "null"] })).toBe("integer or null");
  expect(words({ type: "array", items: { $ref: "#/components/schemas/User" } })).toBe(
    "array of User",
  );
  expect(words({ type: "string", format: "date-time" })).toBe("time");
  expect(rulesOf({ minLength: 1, maxLength: 4000 })).toEqual(["1–4,000 characters"]);
  expect(rulesOf({ minimum: 0, maximum: 2 ** 63 })).toEqual([]);
  const both = { allOf: [{ properties: { a: {} } }, { properties: { b: {} }, required: ["b"] }] };
  expect(fieldsOf(both, {}).map(({ name, required }) => [name, required])).toEqual([
    ["a", false],
    ["b", true],
  ]);
});

test("colours change no character", () => {
  for (const { code, language } of operations.flatMap(samplesOf)) {
    expect(
      highlight(code, language)
        .map(({ text }) => text)
        .join(""),
    ).toBe(code);
  }
  expect(highlight(`{"a": "b:"}`, "json").filter(({ kind }) => kind)).toEqual([
    { text: `"a"`, kind: "key" },
    { text: `"b:"`, kind: "string" },
  ]);
});
