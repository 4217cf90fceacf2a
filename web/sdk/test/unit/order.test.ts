/** What an application receives, in which order and how often; and what a later server may send. */
import { expect, test } from "vitest";
import { createClient, memoryStorage, type DurableEvent } from "../../src/index.js";
import { writable } from "../../src/readable.js";
import { BASE_URL, TabLocks, texts, World } from "../support/world.js";

test("an event is reported once, also if it comes live and in the answer of a resume", async () => {
  const world = new World();
  const room = world.room("ann", "ben");
  const ann = await world.live("ann", room);
  const userId = world.userId("ben");
  const seen: number[] = [];
  ann.client.on("event", ({ event }) => seen.push(event.seq));
  // Stored after `hello`, before the server reads `resume`.
  world.server.onAccept = () => {
    world.clock.after(2, () => {
      const send = { userId, id: "x", text: "once", replyTo: null, mentions: [] };
      world.server.append(world.server.database.room(room, userId), send);
    });
  };
  world.server.close(4000);
  await world.clock.advance(3_000);
  expect(ann.client.state.get().name).toBe("live");
  expect(texts(ann, room)).toEqual(["once"]);
  expect(seen).toEqual([1]);
});

test("an event of a kind this client does not know has its place, and no other effect", async () => {
  const world = new World();
  const room = world.room("ann", "ben");
  const ann = await world.live("ann", room);
  await world.clock.advance(16_000);
  const database = world.server.database.room(room, world.userId("ben"));
  const unknown = (): DurableEvent => {
    const timestamp = world.server.database.timestamp();
    const event = { type: "poll", seq: database.events.length + 1, timestamp };
    database.events.push(event as unknown as DurableEvent);
    return event as unknown as DurableEvent;
  };
  const say = (text: string): void => {
    const send = { userId: world.userId("ben"), id: text, text, replyTo: null, mentions: [] };
    world.server.append(database, send);
  };
  const seen: string[] = [];
  ann.client.on("event", ({ event }) => seen.push(event.type));
  let resumes = 0;
  ann.network.fate = (way, text) => {
    if (way === "out" && text.includes("resume")) resumes++;
    return "pass";
  };
  world.server.broadcast(database, unknown());
  say("live");
  await world.clock.advance(100);
  expect(texts(ann, room)).toEqual(["live"]);
  expect(resumes).toBe(0);
  // Missed: in a batch with others, and as the newest.
  ann.network.drop();
  unknown();
  say("missed");
  unknown();
  await world.clock.advance(5_000);
  expect(ann.client.state.get().name).toBe("live");
  expect(texts(ann, room)).toEqual(["live", "missed"]);
  expect(ann.client.conversations.get()[0]?.last_message?.content).toBe("missed");
  expect(seen).toEqual(["message", "message"]);
  // The server sends a single one without a batch.
  ann.network.fate = (way, text) => {
    const frame = JSON.parse(text) as { type: string; events?: unknown[] };
    return way === "in" && frame.type === "batch" && frame.events?.length === 1 ? "lose" : "pass";
  };
  ann.network.drop();
  await world.clock.advance(5_000);
  expect(ann.client.state.get().name).toBe("live");
});

test("a resume that the server puts off is sent again then, on the same socket", async () => {
  const world = new World();
  const room = world.room("ann", "ben");
  const ann = await world.live("ann", room);
  let resumes = 0;
  ann.network.fate = (way, text) => {
    if (way === "in" || !text.includes("resume") || resumes++ > 0) return "pass";
    const [connection] = world.server.connections;
    const error = { type: "error", error: "later", code: "throttled", retryable: true };
    connection?.client.send(JSON.stringify({ ...error, retry_after_ms: 20_000 }));
    return "lose";
  };
  world.server.close(4000);
  await world.clock.advance(1_000);
  const [connection] = world.server.connections;
  await world.clock.advance(21_000);
  expect(ann.client.state.get().name).toBe("live");
  expect(world.server.connections).toEqual([connection]);
});

test("a conversation that runs for long keeps what is on the screen, not everything", async () => {
  const world = new World();
  const room = world.room("ann", "ben");
  const ann = await world.live("ann", room, { client: { limits: { windowRows: 100 } } });
  const userId = world.userId("ben");
  for (let n = 0; n < 3_000; n++) {
    const send = { userId, id: `${n}`, text: `m${n}`, replyTo: null, mentions: [] };
    world.server.append(world.server.database.room(room, userId), send);
  }
  await world.clock.advance(1_000);
  expect(texts(ann, room).at(-1)).toBe("m2999");
  const { timeline } = ann.client.conversation(room);
  let requests = 0;
  ann.network.requestFate = () => (requests++, "pass");
  const around = timeline.around(100);
  await world.clock.advance(1_000);
  expect(await around).toMatchObject({ ok: true });
  expect(requests).toBeGreaterThan(0);
  expect(texts(ann, room)).toContain("m100");
});

test("what storage has is replaced by the first page without an empty screen in between", async () => {
  const world = new World();
  const room = world.room("ann", "ben");
  const [storage, locks] = [memoryStorage(), new TabLocks()];
  const ann = await world.live("ann", room, { storage, locks });
  const sent = ann.client.conversation(room).send("kept");
  await world.clock.advance(1_000);
  expect(sent.status.get()).toBe("sent");
  ann.kill();
  const again = await world.device("ann", { storage, locks });
  again.client.start();
  const conversation = again.client.conversation(room);
  conversation.hold();
  const shown: number[] = [];
  conversation.timeline.window.subscribe(({ rows }) => shown.push(rows.length));
  await world.clock.until(() => conversation.state.get().name === "live");
  expect(shown).toContain(1);
  expect(shown.slice(shown.indexOf(1))).not.toContain(0);
});

test("a value that changes while it is reported is not followed by the older one", () => {
  const value = writable(0);
  const seen: number[] = [];
  value.subscribe((now) => now === 1 && value.set(2));
  value.subscribe((now) => seen.push(now));
  value.set(1);
  expect(seen).toEqual([0, 2]);
});

test("a subscriber that has left while a value is reported is not called", () => {
  const value = writable(0);
  const seen: number[] = [];
  let leave = (): void => {};
  value.subscribe((now) => now === 1 && leave());
  leave = value.subscribe((now) => seen.push(now));
  value.set(1);
  expect(seen).toEqual([0]);
});

test("a member who was removed and is added again is connected again while it holds", async () => {
  const world = new World();
  const room = world.room("ann", "ben", "cem");
  const ben = await world.live("ben", room);
  const database = world.server.database.room(room, world.userId("ann"));
  const { server } = world;
  server.member(database, ben.userId, "left", world.userId("ann"));
  await world.clock.advance(20_000);
  const { state } = ben.client.conversation(room);
  expect(state.get()).toMatchObject({ name: "refused", code: 4403 });
  server.member(database, ben.userId, "joined", world.userId("ann"));
  await world.clock.advance(20_000);
  expect(state.get().name).toBe("live");
});

test.each(["", "null", '{"status":"ok"}', "<p>Log in</p>"])(
  "a network that answers every request with %j does not end the client",
  async (text) => {
    const world = new World();
    const room = world.room("ann", "ben");
    const ann = await world.device("ann");
    let captive = true;
    const fetch: typeof ann.network.fetch = (input, init) =>
      captive ? Promise.resolve(new Response(text)) : ann.network.fetch(input, init);
    const { clock } = world;
    const { WebSocket } = ann.network;
    const { tokens } = ann;
    const client = createClient({ baseUrl: BASE_URL, tokens, WebSocket, clock, fetch });
    client.start();
    client.conversation(room);
    await clock.advance(30_000);
    expect(client.state.get().name).not.toBe("live");
    captive = false;
    await clock.advance(30_000);
    expect(client.state.get().name).toBe("live");
    await client.stop();
  },
);
