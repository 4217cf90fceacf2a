/** The suite as a process: reads `{name, addresses}` as lines of JSON, and writes outcomes. */
import { createInterface } from "node:readline";
import { WebSocket as WsWebSocket } from "ws";
import { memoryStorage, type ChatStorage, type WebSocketFactory } from "../../../src/index.js";
import { run } from "../suite/suite.js";
import type { Addresses } from "../suite/world.js";

export interface NodeRequest {
  name: string;
  addresses: Addresses;
}

const stores = new Map<string, ChatStorage>();
const own = process.argv.includes("--own-websocket");

function storage(name: string): ChatStorage {
  const known = stores.get(name) ?? memoryStorage();
  stores.set(name, known);
  return known;
}

if (own && typeof globalThis.WebSocket === "undefined") {
  throw new Error(`Node ${process.version} has no WebSocket`);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { name, addresses } = JSON.parse(line) as NodeRequest;
  // The sockets of `ws` have the part that the SDK uses.
  const platform = own ? { storage } : { storage, WebSocket: WsWebSocket as WebSocketFactory };
  void run(name, addresses, platform).then((outcome) =>
    process.stdout.write(`${JSON.stringify({ name, outcome })}\n`),
  );
}
process.exit(0);
