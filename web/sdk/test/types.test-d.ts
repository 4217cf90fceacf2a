/** What must and must not compile. Checked by `npm run check:types`; nothing here runs. */
import { WebSocket as NodeWebSocket } from "ws";
import {
  createClient,
  memoryStorage,
  passwordTokens,
  type Client,
  type Readable,
  type Result,
  type Sent,
  type TokenProvider,
} from "../src/index.js";
import { indexedDbStorage } from "../src/indexeddb.js";
import { useReadable } from "../src/react.js";
import { rune } from "../src/svelte.js";

const baseUrl = "https://chat.example.com";

// Sockets of Node, of browsers and of workers are handed in as they are.
createClient({ baseUrl, tokens: passwordTokens({ baseUrl }), WebSocket: NodeWebSocket });
createClient({ baseUrl, tokens: passwordTokens({ baseUrl }), WebSocket: globalThis.WebSocket });
// So are the platform's fetch and locks.
createClient({
  baseUrl,
  tokens: passwordTokens({ baseUrl, storage: indexedDbStorage() }),
  fetch: globalThis.fetch,
  locks: navigator.locks,
  storage: memoryStorage(),
  environment: null,
});

const own: TokenProvider = { get: async ({ reason }) => ({ access: reason }) };
const client: Client = createClient({ baseUrl, tokens: own });

// @ts-expect-error: a client has no default server.
createClient({ tokens: own });
// @ts-expect-error: a send is a text or an object with one.
client.conversation(1).send({ message: "x" });
// @ts-expect-error: an unknown event.
client.on("typing", () => {});
// @ts-expect-error: a Readable is not set from outside.
client.state.set({ name: "live" });

client.on("event", ({ event }) => {
  if (event.type === "member") event.change satisfies "joined" | "left";
});

const settled: Promise<Result<Sent>> = client.conversation(1).send("x").settled;
void settled.then((result) => {
  if (result.ok) result.value.number satisfies number;
  else result.error.code satisfies string;
  // @ts-expect-error: the value is only there if it is ok.
  return result.value;
});

const state = client.state.get();
if (state.name === "waiting") state.retryAt satisfies number;

const count: Readable<number> = { get: () => 1, subscribe: () => () => {} };
useReadable(count) satisfies number;
rune(count).current satisfies number;
// The contract of a Svelte store.
count satisfies import("svelte/store").Readable<number>;
