/** A fake server with people and devices, for tests. */
import { createClient, passwordTokens, type Client, type ClientOptions } from "../../src/index.js";
import { processLocks } from "../../src/platform/locks.js";
import type { ChatStorage, Clock, Locks } from "../../src/platform/ports.js";
import { memoryStorage } from "../../src/storage/memory.js";
import {
  FakeClock,
  FakeEnvironment,
  FakeServer,
  type FakeNetwork,
  type FakeServerOptions,
} from "../../src/testing.js";
import type { PasswordTokens } from "../../src/types.js";

export const BASE_URL = "https://chat.example.com";
export const PASSWORD = "correct horse";

export interface Device {
  client: Client;
  tokens: PasswordTokens;
  network: FakeNetwork;
  environment: FakeEnvironment;
  storage: ChatStorage;
  userId: number;
  /** Ends the tab at once, as a crash does: timers, sockets, requests; releases its locks. */
  kill(): void;
}

export interface DeviceOptions {
  storage?: ChatStorage;
  /** Locks shared by the tabs of one browser. */
  locks?: TabLocks;
  client?: Partial<ClientOptions>;
}

export class World {
  readonly clock = new FakeClock();
  readonly server: FakeServer;

  constructor(options: Partial<FakeServerOptions> = {}) {
    this.server = new FakeServer({ clock: this.clock, ...options });
  }

  /** A conversation of these people, who have accounts afterwards. */
  room(...names: string[]): number {
    const ids = names.map((name) => this.userId(name));
    const [creator = 0, ...others] = ids;
    return this.server.database.addRoom(creator, others, names.length > 2 ? "Team" : null).id;
  }

  userId(name: string): number {
    const { database } = this.server;
    const known = database.users.find(({ username }) => username === name);
    return (known ?? database.addUser(name, PASSWORD)).id;
  }

  /** A tab of this person. Logs in unless the storage has a login. Not started. */
  async device(name: string, options: DeviceOptions = {}): Promise<Device> {
    const userId = this.userId(name);
    const network = this.server.network();
    const environment = new FakeEnvironment();
    const storage = options.storage ?? memoryStorage();
    const clock = new TabClock(this.clock);
    const locks = (options.locks ?? new TabLocks()).tab();
    const shared = { storage, clock, locks, fetch: network.fetch };
    const tokens = passwordTokens({ baseUrl: BASE_URL, channel: null, random: half, ...shared });
    await tokens.ready;
    if (!tokens.user.get()) {
      const login = tokens.login(name, PASSWORD);
      await this.clock.advance(50);
      const result = await login;
      if (!result.ok) throw new Error(result.error.code);
    }
    const client = createClient({
      baseUrl: BASE_URL,
      tokens,
      WebSocket: network.WebSocket,
      random: half,
      environment,
      ...shared,
      ...options.client,
    });
    const kill = (): void => {
      network.kill();
      clock.kill();
      locks.kill();
    };
    return { client, tokens, network, environment, storage, userId, kill };
  }

  /** A started device with this conversation held and live. */
  async live(name: string, roomId: number, options: DeviceOptions = {}): Promise<Device> {
    const device = await this.device(name, options);
    device.client.start();
    const conversation = device.client.conversation(roomId);
    conversation.hold();
    await this.clock.until(() => conversation.state.get().name === "live");
    return device;
  }
}

const half = (): number => 0.5;

/** The clock of one tab: when the tab is killed, its timers never fire. */
class TabClock implements Clock {
  #alive = true;
  readonly #cancels = new Set<() => void>();

  constructor(readonly clock: FakeClock) {}

  now(): number {
    return this.clock.now();
  }

  after(ms: number, run: () => void): () => void {
    if (!this.#alive) return () => {};
    const cancel = this.clock.after(ms, () => {
      this.#cancels.delete(cancel);
      run();
    });
    this.#cancels.add(cancel);
    return () => {
      this.#cancels.delete(cancel);
      cancel();
    };
  }

  kill(): void {
    this.#alive = false;
    for (const cancel of this.#cancels) cancel();
  }
}

/** The locks of a browser; those of a tab end with it. */
export class TabLocks {
  readonly #locks = processLocks();

  tab(): Locks & { kill(): void } {
    let kill!: () => void;
    const killed = new Promise<never>((_, reject) => (kill = () => reject(new Error("killed"))));
    killed.catch(() => {});
    let alive = true;
    return {
      request: (name, options, run) =>
        this.#locks.request(name, options, (lock) =>
          alive ? Promise.race([run(lock), killed]) : killed,
        ),
      kill: () => {
        alive = false;
        kill();
      },
    };
  }
}

/** The texts of the messages that a device shows, oldest first. */
export function texts(device: Device, roomId: number): string[] {
  const { rows } = device.client.conversation(roomId).timeline.window.get();
  return rows.flatMap((row) => (row.kind === "message" ? [row.message.content] : []));
}
