/** Logins, tokens and the list of conversations. */
import { expect, test } from "vitest";
import {
  forgetUser,
  memoryStorage,
  SignedOutError,
  type ChatStorage,
  type TokenProvider,
} from "../../src/index.js";
import { BASE_URL, TabLocks, World } from "../support/world.js";
import { createClient } from "../../src/index.js";

test("a refresh whose answer is lost is repeated with the same token", async () => {
  const world = new World();
  const ann = await world.device("ann");
  let lost = 0;
  ann.network.requestFate = ({ path }) =>
    path.includes("/token/refresh/") && lost++ < 3 ? "lose answer" : "pass";
  const token = ann.tokens.get({ reason: "expired", signal: new AbortController().signal });
  await world.clock.advance(30_000);
  expect((await token).access).toMatch(/^access-/);
  expect(ann.tokens.user.get()?.username).toBe("ann");
});

test("a refresh is repeated for 45 seconds, and its failure ends no login", async () => {
  const world = new World();
  const ann = await world.device("ann");
  const times: number[] = [];
  ann.network.requestFate = () => (times.push(world.clock.now()), "lose request");
  const token = ann.tokens.get({ reason: "expired", signal: new AbortController().signal });
  const failed = expect(token).rejects.not.toBeInstanceOf(SignedOutError);
  await world.clock.advance(120_000);
  await failed;
  expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeLessThanOrEqual(45_000);
  expect(times.length).toBeGreaterThan(4);
  ann.network.requestFate = () => "pass";
  const again = ann.tokens.get({ reason: "expired", signal: new AbortController().signal });
  await world.clock.advance(100);
  expect((await again).access).toMatch(/^access-/);
});

test("a storage that is full, or that the browser refuses, ends no login", async () => {
  const world = new World();
  const [kept, signal] = [memoryStorage(), new AbortController().signal];
  let refused: "no" | "writes" | "all" = "no";
  const fail = () => Promise.reject(new Error("refused"));
  const storage: ChatStorage = {
    get: (key) => (refused === "all" ? fail() : kept.get(key)),
    list: (prefix) => (refused === "all" ? fail() : kept.list(prefix)),
    write: (changes) => (refused === "no" ? kept.write(changes) : fail()),
  };
  const ann = await world.device("ann", { storage });
  for (refused of ["writes", "all"] as const) {
    const login = ann.tokens.login("ann", "correct horse");
    await world.clock.advance(100);
    expect((await login).ok).toBe(true);
    // Longer than the server accepts the token before the last one.
    for (let round = 0; round < 3; round++) {
      const token = ann.tokens.get({ reason: "expired", signal });
      await world.clock.advance(120_000);
      expect((await token).access).toMatch(/^access-/);
    }
    const logout = ann.tokens.logout();
    await world.clock.advance(100);
    await logout;
    expect(ann.tokens.user.get()).toBeNull();
  }
});

test("two tabs refresh one after the other, each with the token the other left", async () => {
  const world = new World();
  const [storage, locks] = [memoryStorage(), new TabLocks()];
  const one = await world.device("ann", { storage, locks });
  const two = await world.device("ann", { storage, locks });
  const signal = new AbortController().signal;
  for (let round = 0; round < 5; round++) {
    const both = Promise.all(
      [one, two].map(({ tokens }) => tokens.get({ reason: "expired", signal })),
    );
    await world.clock.advance(100);
    expect(new Set((await both).map(({ access }) => access)).size).toBe(2);
  }
  expect(world.server.database.sessions).toHaveLength(1);
});

test("any number of callers share one refresh", async () => {
  const world = new World({ accessSeconds: 90 });
  const rooms = ["ben", "cem", "dora"].map((name) => world.room("ann", name));
  const ann = await world.device("ann");
  let refreshes = 0;
  ann.network.requestFate = ({ path }) => {
    if (path.includes("/token/refresh/")) refreshes++;
    return "pass";
  };
  ann.client.start();
  rooms.forEach((room) => ann.client.conversation(room).hold());
  await world.clock.advance(35_000);
  expect(world.server.connections).toHaveLength(3);
  expect(refreshes).toBe(1);
});

test("a login in another tab as another user ends this one", async () => {
  const world = new World();
  const [storage, locks] = [memoryStorage(), new TabLocks()];
  const room = world.room("ann", "ben");
  const ann = await world.live("ann", room, { storage, locks });
  ann.network.fate = (way, text) => (way === "out" && text.includes("send") ? "lose" : "pass");
  ann.client.conversation(room).send("of ann");
  await world.clock.advance(10);
  world.userId("eve");
  const login = (await world.device("ann", { storage, locks })).tokens.login(
    "eve",
    "correct horse",
  );
  await world.clock.advance(50);
  expect((await login).ok).toBe(true);
  ann.network.fate = () => "pass";
  world.server.close(4200);
  await world.clock.advance(60_000);
  expect(ann.client.state.get().name).toBe("signed-out");
  const { messages } = world.server.database.room(room, ann.userId);
  expect(messages.every(({ sender }) => sender === "ann")).toBe(true);
});

test("a logout ends the login everywhere, and forgets it here", async () => {
  const world = new World();
  const ann = await world.live("ann", world.room("ann", "ben"));
  const logout = ann.tokens.logout();
  await world.clock.advance(100);
  await logout;
  expect(ann.tokens.user.get()).toBeNull();
  expect(ann.client.state.get().name).toBe("signed-out");
  expect(world.server.database.sessions[0]?.revoked).toBe(true);
  expect(await ann.storage.get("login")).toBeUndefined();
  await ann.client.stop();
  await forgetUser(ann.storage, ann.userId);
  expect(await ann.storage.list("")).toEqual([]);
});

test("a provider of one's own: the client asks who it is", async () => {
  const world = new World();
  const room = world.room("ann", "ben");
  const network = world.server.network();
  const pair = world.server.open(world.userId("ann"));
  const tokens: TokenProvider = { get: async () => ({ access: pair.access }) };
  const { fetch, WebSocket } = network;
  const client = createClient({ baseUrl: BASE_URL, tokens, clock: world.clock, fetch, WebSocket });
  client.start();
  client.conversation(room).hold();
  await world.clock.advance(1_000);
  expect(client.state.get().name).toBe("live");
  expect(client.user.get()?.username).toBe("ann");
  await client.stop();
});

test("a provider that throws, hangs or ends the login does not break the client", async () => {
  const world = new World();
  const { fetch, WebSocket } = world.server.network();
  let answer: () => Promise<{ access: string }> = () => Promise.reject(new Error("broken"));
  const client = createClient({
    baseUrl: BASE_URL,
    tokens: { get: () => answer() },
    clock: world.clock,
    fetch,
    WebSocket,
  });
  client.start();
  await world.clock.advance(1_000);
  expect(client.state.get().name).toMatch(/waiting|offline/);
  answer = () => new Promise(() => {});
  await world.clock.advance(90_000);
  answer = () => Promise.reject(new SignedOutError());
  await world.clock.advance(90_000);
  expect(client.state.get()).toEqual({ name: "signed-out", code: "signed_out" });
  expect(world.clock.pending).toBe(0);
});

test("the list is read in pages, kept sorted by events, and refreshed while visible", async () => {
  const world = new World();
  const rooms = Array.from({ length: 60 }, (_, at) => world.room("ann", `friend-${at}`));
  const ann = await world.device("ann");
  ann.client.start();
  await world.clock.advance(100);
  const { conversations } = ann.client;
  expect(conversations.get()).toHaveLength(50);
  expect(conversations.complete.get()).toBe(false);
  const more = conversations.more();
  await world.clock.advance(100);
  expect((await more).ok).toBe(true);
  expect(conversations.get()).toHaveLength(60);
  expect(conversations.complete.get()).toBe(true);
  const [first = 0] = rooms;
  const userId = world.userId("friend-0");
  const send = { userId, id: "x", text: "hi", replyTo: null, mentions: [] };
  world.server.append(world.server.database.room(first, userId), send);
  ann.environment.setVisible(false);
  await world.clock.advance(60_000);
  expect(conversations.get()[0]?.id).not.toBe(first);
  ann.environment.setVisible(true);
  await world.clock.advance(3_000);
  expect(conversations.get()[0]).toMatchObject({ id: first, last_message: { content: "hi" } });
});

test("a new conversation is in the list at once", async () => {
  const world = new World();
  const ben = world.userId("ben");
  const ann = await world.device("ann");
  ann.client.start();
  const created = ann.client.createConversation({ participants: [ben], name: "Plans" });
  await world.clock.advance(100);
  const made = await created;
  if (!made.ok) throw new Error(made.error.code);
  expect(ann.client.conversations.get()[0]).toMatchObject({ id: made.value.id, name: "Plans" });
  expect(made.value.summary.get()?.member_count).toBe(2);
});

test("stop leaves no timer and no socket, and start continues", async () => {
  const world = new World();
  const room = world.room("ann", "ben");
  const ann = await world.live("ann", room);
  const stopped = ann.client.stop();
  await world.clock.advance(1_000);
  await stopped;
  expect(world.clock.pending).toBe(0);
  expect(world.server.connections).toHaveLength(0);
  ann.client.start();
  await world.clock.advance(1_000);
  expect(ann.client.conversation(room).state.get().name).toBe("live");
});

test("at most six sockets; a released conversation stays for a minute", async () => {
  const world = new World();
  const rooms = Array.from({ length: 8 }, (_, at) => world.room("ann", `friend-${at}`));
  const ann = await world.device("ann");
  ann.client.start();
  const releases = rooms.map((room) => ann.client.conversation(room).hold());
  await world.clock.advance(1_000);
  expect(world.server.connections).toHaveLength(6);
  expect(ann.client.state.get().name).toBe("live");
  releases.forEach((release) => release());
  await world.clock.advance(30_000);
  expect(world.server.connections).toHaveLength(6);
  await world.clock.advance(31_000);
  expect(world.server.connections).toHaveLength(0);
});
