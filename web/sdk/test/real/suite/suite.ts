/**
 * The cases of the SDK against a real server, without a test framework: the same module runs in
 * Node, in a page and in a Worker. `../real.test.ts` reports each case as a test.
 *
 * To add a case: an entry in `cases`. It asserts with `check.ts` and reaches the server and what is
 * around it through its `World`.
 */
import { deliveries } from "./cases/deliveries.js";
import { lines } from "./cases/lines.js";
import { refusals } from "./cases/refusals.js";
import { servers } from "./cases/servers.js";
import { sessions, shortTokens } from "./cases/sessions.js";
import { World, type Addresses, type Platform } from "./world.js";

/** Cases by name. */
export type Cases = Readonly<Record<string, (world: World) => Promise<void>>>;

/** What a group of cases needs besides a server. */
export const groups = {
  ordinary: { ...deliveries, ...lines, ...refusals, ...sessions },
  /** A server whose tokens expire within seconds. */
  shortTokens,
  /** The right to end the server. These run alone. */
  servers,
} satisfies Record<string, Cases>;

export type Outcome = { ok: true } | { ok: false; error: string };

const TIMEOUT_MS = 90_000;

const all: Cases = { ...groups.ordinary, ...groups.shortTokens, ...groups.servers };

/** Runs one case. */
export async function run(
  name: string,
  addresses: Addresses,
  platform: Platform,
): Promise<Outcome> {
  const world = new World(addresses, platform);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("not done in time")), TIMEOUT_MS);
  });
  try {
    const one = all[name];
    if (!one) throw new Error(`there is no case ${name}`);
    await Promise.race([one(world), timeout]);
    return { ok: true };
  } catch (error) {
    return {
      ok: false,
      error: error instanceof Error ? (error.stack ?? error.message) : "unknown",
    };
  } finally {
    clearTimeout(timer);
    await world.end();
  }
}
