/** The options of a client with everything that was left out filled in. */
import { memoryStorage } from "../storage/memory.js";
import type { ClientLimits, ClientOptions } from "../types.js";
import { systemClock } from "./clock.js";
import { pageEnvironment } from "./environment.js";
import { defaultLocks } from "./locks.js";
import type { ChatStorage, Clock, Environment, Locks, WebSocketFactory } from "./ports.js";

export interface Platform {
  storage: ChatStorage;
  WebSocket: WebSocketFactory;
  fetch: typeof fetch;
  clock: Clock;
  random: () => number;
  locks: Locks;
  environment: Environment | null;
  limits: ClientLimits;
}

const LIMITS: Omit<ClientLimits, "followedRows"> = {
  sockets: 6,
  lingerMs: 60_000,
  windowRows: 240,
  firstRows: 60,
  storedMessages: 200,
  storedConversations: 50,
  listRefreshMs: 15_000,
};

export function platform(options: ClientOptions): Platform {
  const { limits: chosen } = options;
  return {
    storage: options.storage ?? memoryStorage(),
    WebSocket: options.WebSocket ?? platformWebSocket(),
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    locks: options.locks ?? defaultLocks(),
    environment: options.environment === undefined ? pageEnvironment() : options.environment,
    limits: { followedRows: chosen?.windowRows ?? LIMITS.windowRows, ...LIMITS, ...chosen },
  };
}

function platformWebSocket(): WebSocketFactory {
  const found = (globalThis as { WebSocket?: WebSocketFactory }).WebSocket;
  if (found) return found;
  // A mistake of the program, not of the network: it is reported where it is made.
  throw new TypeError(
    "This platform has no WebSocket. Hand one in: createClient({ WebSocket }), " +
      "with the class of the package `ws` on Node 20.",
  );
}
