/** What an application, a stopped client or another login must not do to a send. */
import { expect, test } from "vitest";
import { createClient, memoryStorage, type TokenProvider } from "../../src/index.js";
import { BASE_URL, TabLocks, World } from "../support/world.js";

const stored = (world: World, room: number): string[] =>
  world.server.database.rooms.get(room)?.messages.map(({ content }) => content) ?? [];

test("a stopped client sends nothing and leaves no timer, and sends it after a start", async () => {
  const world = new World();
  const room = world.room("ann", "ben");
  const ann = await world.device("ann");
  ann.client.start();
  await world.clock.advance(1_000);
  void ann.client.stop();
  await world.clock.advance(1_000);
  const sent = ann.client.conversation(room).send("later");
  await world.clock.advance(60_000);
  expect(stored(world, room)).toEqual([]);
  expect(world.clock.pending).toBe(0);
  ann.client.start();
  await world.clock.advance(1_000);
  expect(sent.status.get()).toBe("sent");
});

test("nothing is sent with the token of a user who is not known to be the sender", async () => {
  const world = new World();
  const room = world.room("ann", "ben");
  const [storage, locks] = [memoryStorage(), new TabLocks()];
  const ann = await world.live("ann", room, { storage, locks });
  ann.network.down = true;
  ann.client.conversation(room).send("of ann");
  await world.clock.advance(100);
  ann.kill();
  const { access } = world.server.open(world.userId("ben"));
  const tokens: TokenProvider = { get: async () => ({ access }) };
  const { clock } = world;
  const network = world.server.network();
  const { fetch, WebSocket } = network;
  // The server does not say whose token it is, but stores messages.
  network.requestFate = ({ path }) => (path.includes("/profile/") ? "lose request" : "pass");
  const shared = { storage, locks: locks.tab(), clock, fetch, WebSocket };
  const client = createClient({ baseUrl: BASE_URL, tokens, ...shared });
  client.start();
  await clock.advance(60_000);
  expect(stored(world, room)).toEqual([]);
  network.requestFate = () => "pass";
  await clock.advance(60_000);
  expect(client.user.get()?.username).toBe("ben");
  expect(stored(world, room)).toEqual([]);
  await client.stop();
});

test("an id that the server cannot take fails at once and does not block the next", async () => {
  const world = new World({ throttleMs: 1_000 });
  const room = world.room("ann", "ben");
  const ann = await world.live("ann", room);
  const conversation = ann.client.conversation(room);
  for (const clientMessageId of ["", "x".repeat(65), "é", "a b"]) {
    const bad = conversation.send({ text: "bad", clientMessageId });
    expect(await bad.settled).toMatchObject({ ok: false, error: { code: "invalid" } });
    bad.retry();
    expect(bad.status.get()).toBe("failed");
    expect(bad.cancel()).toBe(true);
  }
  const good = conversation.send("good");
  await world.clock.advance(100);
  expect(good.status.get()).toBe("sent");
  expect(stored(world, room)).toEqual(["good"]);
});

test("the same id twice is the same item; with another text it is a conflict", async () => {
  const world = new World();
  const room = world.room("ann", "ben");
  const ann = await world.live("ann", room);
  const conversation = ann.client.conversation(room);
  const first = conversation.send({ text: "one", clientMessageId: "same" });
  const again = conversation.send({ text: "one", clientMessageId: "same" });
  const other = conversation.send({ text: "two", clientMessageId: "same" });
  expect(await other.settled).toMatchObject({ ok: false, error: { code: "conflict" } });
  expect(other.cancel()).toBe(true);
  await world.clock.advance(100);
  expect(await Promise.all([first.settled, again.settled])).toMatchObject([
    { ok: true },
    { ok: true },
  ]);
  expect(stored(world, room)).toEqual(["one"]);
  expect(ann.client.outbox.items.get()).toEqual([]);
});

test("a message larger than a frame fails, and the socket stays", async () => {
  const world = new World();
  const room = world.room("ann", "ben");
  const ann = await world.live("ann", room);
  const frames: number[] = [];
  ann.network.fate = (way, text) => {
    if (way === "out") frames.push(text.length);
    return "pass";
  };
  const conversation = ann.client.conversation(room);
  const [large, small] = [conversation.send("x".repeat(66_000)), conversation.send("small")];
  await world.clock.advance(100);
  expect(await large.settled).toMatchObject({ ok: false, error: { code: "too_large" } });
  expect(small.status.get()).toBe("sent");
  expect(Math.max(...frames)).toBeLessThan(65_536);
});
