/** The SDK against the descriptions that the server generates from its own types. */
import { describe, expect, test } from "vitest";
import { closeReaction } from "../../src/connection/close_codes.js";
import type { Result } from "../../src/index.js";
import * as entry from "../../src/rest.js";
import { OPERATIONS } from "../../src/wire/api.js";
import { CLOSE_CODES, ERROR_CODES, SOCKET_PATH, SUBPROTOCOL } from "../../src/wire/socket.js";
import { World } from "../support/world.js";

type Call = (http: entry.Http, ...args: unknown[]) => Promise<Result<unknown>>;

/** Arguments after the connection, by the parameters in the path. */
const ARGUMENTS: Record<string, unknown[]> = {
  refresh: ["token"],
  logout: ["token"],
  listMessages: [7],
  listMembers: [7],
  readConversation: [7],
  sendMessage: [7, { message: "x" }],
  editMessage: [7, 8, "x"],
  deleteMessage: [7, 8],
  addMember: [7, 9],
  removeMember: [7, 9],
};

describe("./rest has every operation", () => {
  test.each(Object.entries(OPERATIONS))("%s", async (name, { method, path, authenticated }) => {
    const seen: { method: string; path: string; authorized: boolean }[] = [];
    const record: typeof fetch = async (input, init) => {
      const authorized = "authorization" in (init?.headers ?? {});
      seen.push({ method: init?.method ?? "", path: new URL(String(input)).pathname, authorized });
      return new Response("{}");
    };
    const operation = (entry as unknown as Record<string, Call | undefined>)[name];
    const http = entry.rest({ baseUrl: "https://chat.example.com", token: "t", fetch: record });
    const answer = await operation?.(http, ...(ARGUMENTS[name] ?? [{}]));
    expect(answer?.ok).toBe(true);
    const ids = path.replace("{id}", "7").replace("{message_id}", "8").replace("{user_id}", "9");
    expect(seen).toEqual([{ method, path: ids, authorized: authenticated }]);
  });
});

describe("the reaction to a close is what the description asks of a client", () => {
  const allowed: Record<string, string[]> = {
    stop: ["refuse", "reauthenticate"],
    reconnect: ["reconnect"],
    reconnect_after: ["wait", "refuse"],
    renew_token: ["renew"],
  };
  test.each(Object.entries(CLOSE_CODES))("%s", (code, { reason, action }) => {
    const reaction = closeReaction(Number(code), reason);
    expect(allowed[action]).toContain(reaction.do);
    // Only a code that asks for a wait is tried again after a refusal.
    if (reaction.do === "refuse") {
      expect(reaction.retryMs !== null).toBe(action === "reconnect_after");
    }
  });
});

test("errors over REST are retryable where the description says so", async () => {
  for (const [code, { status, retryable }] of Object.entries(ERROR_CODES)) {
    const body = JSON.stringify({ detail: "x", code, request_id: "r" });
    const answer = await entry.config(
      entry.rest({
        baseUrl: "https://chat.example.com",
        fetch: async () => new Response(body, { status }),
      }),
    );
    expect(answer).toMatchObject({ ok: false, error: { code, retryable, requestId: "r" } });
  }
});

test("sockets are opened at the described path with the described protocol", async () => {
  const world = new World();
  const room = world.room("ann", "ben");
  const opened: [string, string[]][] = [];
  const { WebSocket } = world.server.network();
  const device = await world.device("ann", {
    client: {
      WebSocket: class {
        constructor(url: string, protocols: string[]) {
          opened.push([url, protocols]);
          return new WebSocket(url, protocols);
        }
      } as typeof WebSocket,
    },
  });
  device.client.start();
  device.client.conversation(room).hold();
  await world.clock.advance(100);
  const path = SOCKET_PATH.replace("{conversation_id}", String(room));
  expect(opened[0]?.[0]).toBe(`wss://chat.example.com${path}`);
  expect(opened[0]?.[1]).toEqual([SUBPROTOCOL, expect.stringMatching(/^bearer\./)]);
});
