// The page as it is built: everything that the two documents have can be read on it and has an address.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";

import { renderDocsPage } from "../build/docs.ts";

const WEB = join(import.meta.dirname, "..");
// Untyped JSON: the test must not read it as the page does.
const load = (name: string) => JSON.parse(readFileSync(join(WEB, "wire", name), "utf8"));
const openapi = load("openapi.json");
const asyncapi = load("asyncapi.json");

let html: string;
let ids: Set<string>;

beforeAll(async () => {
  ({ html } = await renderDocsPage(WEB));
  ids = new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id = ""]) => id));
});

const missing = (wanted: readonly string[]): string[] => wanted.filter((id) => !ids.has(id));
const keys = (object: object | undefined): string[] => Object.keys(object ?? {});

interface Operation {
  operationId: string;
  parameters?: { name: string; in: string }[];
  requestBody?: { content: { "application/json": { schema: { $ref: string } } } };
  responses: Record<string, { description: string }>;
}

const operations: [path: string, method: string, operation: Operation][] = keys(openapi.paths)
  .filter((path) => !path.startsWith("/ws/"))
  .flatMap((path) =>
    keys(openapi.paths[path]).map((method): [string, string, Operation] => [
      path,
      method,
      openapi.paths[path][method],
    ]),
  );

/** The names of the fields of a schema, those of `allOf` included. */
function fields(
  schema: { $ref?: string; properties?: object; allOf?: object[] },
  document: any,
): string[] {
  if (schema.$ref)
    return fields(document.components.schemas[schema.$ref.split("/").at(-1)!], document);
  return [
    ...keys(schema.properties),
    ...(schema.allOf ?? []).flatMap((one) => fields(one, document)),
  ];
}

test("every operation is on the page with its path, parameters, body and answers", () => {
  expect(operations.length).toBeGreaterThan(15);
  for (const [path, method, operation] of operations) {
    const { operationId: id, parameters = [], requestBody } = operation;
    const article = html.match(new RegExp(`<article id="${id}"[\\s\\S]*?</article>`))?.[0] ?? "";
    expect(article, id).toContain(`<code>${path}</code>`);
    expect(article, id).toContain(method.toUpperCase());
    const body = requestBody?.content["application/json"].schema;
    const wanted = [
      ...parameters.map((parameter) => `${id}.${parameter.in}.${parameter.name}`),
      ...(body ? fields(body, openapi).map((name) => `${id}.body.${name}`) : []),
    ];
    expect(missing(wanted)).toEqual([]);
    const ordinary = html.match(/<section id="ordinary"[\s\S]*?<\/section>/)?.[0] ?? "";
    for (const status of keys(operation.responses)) {
      expect(
        article.includes(`>${status}<`) || ordinary.includes(`>${status}<`),
        `${id} ${status}`,
      ).toBe(true);
    }
  }
});

test("every schema of REST has its fields on the page", () => {
  const bodies = operations.map(
    ([, , one]) => one.requestBody?.content["application/json"].schema.$ref,
  );
  const requests = new Set(bodies.map((ref) => ref?.split("/").at(-1)));
  const names = keys(openapi.components.schemas).filter((name) => !requests.has(name));
  const wanted = names.flatMap((name) => [
    `type.${name}`,
    ...fields(openapi.components.schemas[name], openapi).map((field) => `type.${name}.${field}`),
  ]);
  expect(missing(wanted)).toEqual([]);
});

test("every frame has its fields on the page", () => {
  const { messages } = asyncapi.components;
  const wanted = keys(messages).flatMap((name) => [
    `frame.${name}`,
    ...fields(messages[name].payload, asyncapi).map((field) => `frame.${name}.${field}`),
  ]);
  expect(wanted.length).toBeGreaterThan(60);
  expect(missing(wanted)).toEqual([]);
});

test("every error code, close code and limit has its row", () => {
  const wanted = [
    ...asyncapi["x-error-codes"].map(({ code }: { code: string }) => `error.${code}`),
    ...asyncapi["x-close-codes"].map(({ code }: { code: number }) => `close.${code}`),
    ...asyncapi["x-limits"].map(({ name }: { name: string }) => `limit.${name}`),
  ];
  expect(missing(wanted)).toEqual([]);
  expect(
    openapi.components.schemas.ErrorCode.enum
      .map((code: string) => `error.${code}`)
      .filter((id: string) => !ids.has(id)),
  ).toEqual([]);
});

test("every budget and every step of the guide is on the page", () => {
  const protocol = readFileSync(join(WEB, "../docs/protocol.md"), "utf8");
  const budgets = protocol
    .split("### Budgets")[1]!
    .split("###")[0]!
    .matchAll(/^\| `(\w+)` \| (\d+)/gm);
  const rows = [...budgets];
  expect(rows.length).toBeGreaterThan(5);
  for (const [, name, perMinute] of rows) {
    expect(html).toMatch(new RegExp(`<code>${name}</code></td><td[^>]*>${perMinute}</td>`));
  }
  const clients = readFileSync(join(WEB, "../docs/clients.md"), "utf8");
  const steps = [...clients.matchAll(/^## \d+\. (.+)$/gm)].map(([, title = ""]) => title);
  expect(steps.filter((title) => !html.includes(title))).toEqual([]);
});

test("every link on the page leads somewhere, and every address is unique", () => {
  const targets = [...html.matchAll(/href="#([^"]+)"/g)].map(([, id = ""]) => id);
  expect(missing([...new Set(targets)])).toEqual([]);
  const all = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id = ""]) => id);
  expect(all.filter((id, index) => all.indexOf(id) !== index)).toEqual([]);
});

test("the page has neither scripts nor styles of its own", () => {
  expect(html).not.toMatch(/<script|<style| style=| on[a-z]+=/);
});

test("two builds are the same", async () => {
  expect((await renderDocsPage(WEB)).html).toBe(html);
});
