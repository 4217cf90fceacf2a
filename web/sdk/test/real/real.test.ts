/**
 * The suite against real servers: every case in every runtime, as one test each.
 *
 * `cargo xtask test` sets the variables. By hand COLLOQUY_URL is enough: cases that need another
 * server, or the right to end it, are then skipped. SDK_RUNTIMES selects runtimes, such as
 * `node,chromium`; Chromium's page has the origin http://localhost:3000, which the servers must
 * allow (CORS_ALLOWED_ORIGINS).
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chromium } from "./runtimes/chromium.js";
import { node22, nodeWithWs } from "./runtimes/node.js";
import type { Runtime, RuntimeKind } from "./runtimes/runtime.js";
import { workerd } from "./runtimes/workerd.js";
import { stage, type Stage } from "./stage.js";
import { groups, type Outcome } from "./suite/suite.js";
import type { Addresses } from "./suite/world.js";

const variable = (name: string): string | null => process.env[name] || null;

const server = variable("COLLOQUY_URL");
const shortTokens = variable("COLLOQUY_SHORT_TOKEN_URL");
const control = variable("COLLOQUY_CONTROL_URL");
if (!server) throw new Error("COLLOQUY_URL names the server, such as http://127.0.0.1:8000");

const KINDS: Record<string, RuntimeKind> = { node: nodeWithWs, node22, chromium, workerd };
const selected = (variable("SDK_RUNTIMES") ?? "node").split(",");

/** Most of a case is waiting. */
const AT_A_TIME = 4;

const together = [
  ...Object.keys(groups.ordinary),
  ...(shortTokens ? Object.keys(groups.shortTokens) : []),
];
const alone = control ? Object.keys(groups.servers) : [];

let onStage: Stage;
beforeAll(async () => void (onStage = await stage(server, control)));
afterAll(() => onStage.end());

describe.each(selected)("%s", (id) => {
  const kind = KINDS[id];
  if (!kind) throw new Error(`SDK_RUNTIMES names ${id}; known are ${Object.keys(KINDS).join()}`);
  let runtime: Runtime | undefined;
  let outcomes = new Map<string, Promise<Outcome>>();

  beforeAll(async () => {
    runtime = await kind.start();
    outcomes = schedule(runtime, { server, shortTokens, stage: onStage.url });
  }, 60_000);
  afterAll(() => runtime?.end());

  test.each([...together, ...alone])(`${kind.name}: %s`, async (name) => {
    const outcome = await outcomes.get(name);
    if (!outcome?.ok) expect.fail(outcome?.error ?? "it did not run");
  });
});

/** Runs the cases, several at a time, then those that must be alone. Returns at once. */
function schedule(runtime: Runtime, addresses: Addresses): Map<string, Promise<Outcome>> {
  const run = (name: string): Promise<Outcome> =>
    runtime.run(name, addresses).catch((error) => ({ ok: false, error: String(error) }));
  const outcomes = new Map<string, Promise<Outcome>>();
  const queues = Array.from({ length: AT_A_TIME }, () => Promise.resolve<unknown>(null));
  for (const [at, name] of together.entries()) {
    const queue = at % AT_A_TIME;
    const outcome = (queues[queue] ?? Promise.resolve()).then(() => run(name));
    outcomes.set(name, outcome);
    queues[queue] = outcome;
  }
  let before: Promise<unknown> = Promise.all(queues);
  for (const name of alone) {
    const outcome = before.then(() => run(name));
    outcomes.set(name, outcome);
    before = outcome;
  }
  return outcomes;
}
