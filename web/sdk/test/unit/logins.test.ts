/** Logins that end, change hands, or meet a storage that fails. */
import { expect, test } from "vitest";
import { memoryStorage, passwordTokens, type ChatStorage } from "../../src/index.js";
import { BASE_URL, PASSWORD, TabLocks, texts, World } from "../support/world.js";

/** A storage whose writes fail while `full`. */
function filling(): { storage: ChatStorage; full: boolean } {
  const inner = memoryStorage();
  const state: { storage: ChatStorage; full: boolean } = {
    full: false,
    storage: {
      ...inner,
      write: (changes) => (state.full ? Promise.reject(new Error("full")) : inner.write(changes)),
    },
  };
  return state;
}

test("a logout without a network ends the client at once, and forgets the login", async () => {
  const world = new World();
  const room = world.room("ann", "ben");
  const ann = await world.live("ann", room);
  ann.network.requestFate = () => "lose request";
  void ann.tokens.logout();
  expect(ann.tokens.user.get()).toBeNull();
  expect(ann.client.state.get()).toEqual({ name: "signed-out", code: "signed_out" });
  await world.clock.advance(100);
  expect(world.server.connections).toHaveLength(0);
  expect(await ann.storage.get("login")).toBeUndefined();
});

test("a login goes on although storage is full, and a logout ends it", async () => {
  const world = new World({ accessSeconds: 90 });
  const room = world.room("ann", "ben");
  const state = filling();
  const ann = await world.device("ann", { storage: state.storage });
  state.full = true;
  const login = ann.tokens.login("ann", PASSWORD);
  await world.clock.advance(100);
  expect(await login).toMatchObject({ ok: true });
  ann.client.start();
  ann.client.conversation(room).hold();
  // Many refreshes, each with the token of the one before.
  await world.clock.advance(600_000);
  expect(ann.client.state.get().name).toBe("live");
  const logout = ann.tokens.logout();
  await world.clock.advance(1_000);
  await expect(logout).resolves.toBeUndefined();
  expect(ann.client.state.get().name).toBe("signed-out");
  const token = ann.tokens.get({ reason: "start", signal: new AbortController().signal });
  await expect(token).rejects.toThrow("the login is over");
});

test("a logout in another tab ends the client of this one", async () => {
  const world = new World();
  const room = world.room("ann", "ben");
  const [storage, locks] = [memoryStorage(), new TabLocks()];
  const listeners = new Set<(message: string) => void>();
  const channel = {
    post: (message: string) => listeners.forEach((run) => run(message)),
    listen: (run: (message: string) => void) => {
      listeners.add(run);
      return () => listeners.delete(run);
    },
  };
  const { clock } = world;
  const first = await world.device("ann", { storage, locks });
  const shared = { baseUrl: BASE_URL, storage, clock, channel, fetch: first.network.fetch };
  const tokens = passwordTokens({ ...shared, locks: locks.tab() });
  await tokens.ready;
  const ann = await world.live("ann", room, { storage, locks, client: { tokens } });
  const other = passwordTokens({ ...shared, locks: locks.tab() });
  await other.ready;
  // The server does not hear of it.
  first.network.requestFate = () => "lose request";
  void other.logout();
  await clock.advance(100);
  expect(ann.client.state.get().name).toBe("signed-out");
});

test("without a login nothing of the last user is shown", async () => {
  const world = new World();
  const room = world.room("ann", "ben");
  const [storage, locks] = [memoryStorage(), new TabLocks()];
  const ann = await world.live("ann", room, { storage, locks });
  await world.clock.advance(1_000);
  const logout = ann.tokens.logout();
  await world.clock.advance(1_000);
  await logout;
  ann.kill();
  const tokens = passwordTokens({ baseUrl: BASE_URL, storage, channel: null, clock: world.clock });
  const again = await world.device("ann", { storage, locks, client: { tokens } });
  await tokens.logout();
  const shown: unknown[] = [];
  again.client.conversations.subscribe((list) => shown.push(...list));
  again.client.start();
  await world.clock.advance(1_000);
  expect(shown).toEqual([]);
  expect(again.client.user.get()).toBeNull();
});

test("a list that was asked for as one user is not shown to the next", async () => {
  const world = new World();
  world.room("ann", "ben");
  world.userId("eve");
  const ann = await world.device("ann");
  ann.client.start();
  await world.clock.advance(1_000);
  ann.network.latency = () => 3_000;
  void ann.client.conversations.refresh();
  await world.clock.advance(3_500);
  ann.network.latency = () => 5;
  const login = ann.tokens.login("eve", PASSWORD);
  await world.clock.advance(100);
  await login;
  ann.client.start();
  await world.clock.advance(1_000);
  expect(ann.client.user.get()?.username).toBe("eve");
  await world.clock.advance(10_000);
  expect(ann.client.conversations.get()).toEqual([]);
});

test("what a user had queued is sent when the same user is back after another one", async () => {
  const world = new World();
  const room = world.room("ann", "ben");
  world.userId("eve");
  const ann = await world.live("ann", room);
  ann.network.fate = (way, text) => (way === "out" && text.includes('"send"') ? "lose" : "pass");
  ann.client.conversation(room).send("of ann");
  await world.clock.advance(100);
  for (const name of ["eve", "ann"]) {
    const logout = ann.tokens.logout();
    await world.clock.advance(100);
    await logout;
    const login = ann.tokens.login(name, PASSWORD);
    await world.clock.advance(100);
    await login;
    ann.client.start();
    await world.clock.advance(1_000);
    expect(ann.client.user.get()?.username).toBe(name);
  }
  ann.network.fate = () => "pass";
  await world.clock.advance(60_000);
  expect(texts(ann, room)).toEqual(["of ann"]);
});

test("a request of one user is never repeated with the token of the next", async () => {
  const world = new World();
  const room = world.room("ann", "eve");
  const ann = await world.live("ann", room);
  // No socket: after ten seconds the message goes over REST, and is long on its way.
  ann.network.fate = () => "lose";
  ann.network.drop();
  ann.client.conversation(room).send("of ann");
  ann.network.latency = () => 9_000;
  await world.clock.advance(12_000);
  ann.network.latency = () => 5;
  for (const act of [() => ann.tokens.logout(), () => ann.tokens.login("eve", PASSWORD)]) {
    const done = act();
    await world.clock.advance(100);
    await done;
  }
  ann.client.start();
  await world.clock.advance(60_000);
  expect(ann.client.user.get()?.username).toBe("eve");
  const { messages } = world.server.database.room(room, ann.userId);
  expect(messages).toEqual([]);
});
