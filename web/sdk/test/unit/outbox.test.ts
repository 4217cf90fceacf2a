/** The rules of the outbox (README, "The queue"), one or more tests each. */
import { expect, test } from "vitest";
import { memoryStorage, type ChatStorage, type Outgoing } from "../../src/index.js";
import { TabLocks, texts, World, type Device, type DeviceOptions } from "../support/world.js";

interface Setting {
  world: World;
  room: number;
  ann: Device;
}

async function setting(
  server: ConstructorParameters<typeof World>[0] = {},
  device: DeviceOptions = {},
): Promise<Setting> {
  const world = new World(server);
  const room = world.room("ann", "ben");
  return { world, room, ann: await world.live("ann", room, device) };
}

const stored = ({ world, room, ann }: Setting): string[] =>
  world.server.database.room(room, ann.userId).messages.map(({ content }) => content);

const send = ({ ann, room }: Setting, text: string): Outgoing =>
  ann.client.conversation(room).send(text);

const rows = ({ ann, room }: Setting) => ann.client.conversation(room).timeline.window.get().rows;

const outboxKeys = async (storage: ChatStorage): Promise<string[]> =>
  (await storage.list("user/")).map(([key]) => key).filter((key) => key.includes("/outbox/"));

/** Loses what the device sends, or what it receives, as long as it contains the text. */
const lose = (device: Device, direction: "in" | "out", part: string): void => {
  device.network.fate = (way, text) => (way === direction && text.includes(part) ? "lose" : "pass");
};

test("1: an id of 128 random bits; written to storage before it is transmitted", async () => {
  const log: string[] = [];
  const inner = memoryStorage();
  const storage: ChatStorage = {
    ...inner,
    volatile: false,
    write: (changes) => {
      if (changes.some(({ key }) => key.includes("/outbox/"))) log.push("write");
      return inner.write(changes);
    },
  };
  const each = await setting({}, { storage });
  each.ann.network.fate = (way, text) => {
    if (way === "out" && text.includes('"send"')) log.push("transmit");
    return "pass";
  };
  const sent = send(each, "Hello");
  expect(sent.clientMessageId).toMatch(/^[0-9a-f]{32}$/);
  await each.world.clock.advance(50);
  // The last write is the removal, after the ack.
  expect(log).toEqual(["write", "transmit", "write"]);
  expect(sent.durable.get()).toBe(true);
});

test("1: the echo row is visible at once and keeps its key when it is stored", async () => {
  const each = await setting();
  const sent = send(each, "Hello");
  const echo = rows(each).at(-1);
  expect(echo).toMatchObject({ kind: "echo", outgoing: { text: "Hello" } });
  await each.world.clock.advance(50);
  expect(sent.status.get()).toBe("sent");
  expect(rows(each)).toHaveLength(1);
  expect(rows(each)[0]).toMatchObject({ kind: "message", key: echo?.key, own: true });
});

test("1: storage that fails does not stop a send, and says that it would not survive", async () => {
  const inner = memoryStorage();
  let full = false;
  const storage: ChatStorage = {
    ...inner,
    write: (changes) => (full ? Promise.reject(new Error("full")) : inner.write(changes)),
  };
  const each = await setting({}, { storage });
  full = true;
  const sent = send(each, "Hello");
  await each.world.clock.advance(50);
  expect(await sent.settled).toMatchObject({ ok: true });
  expect(sent.durable.get()).toBe(false);
  expect(each.ann.client.outbox.paused.get()).toBe("storage");
});

test("2: without a throttle up to twenty are in flight in one frame, in order", async () => {
  const each = await setting();
  const frames: number[] = [];
  const all = Array.from({ length: 50 }, (_, n) => `m${n}`);
  each.ann.network.drop();
  all.forEach((text) => send(each, text));
  each.ann.network.fate = (way, text) => {
    const frame: unknown = way === "out" ? JSON.parse(text) : null;
    if (Array.isArray(frame)) frames.push(frame.length);
    return "pass";
  };
  await each.world.clock.advance(3_000);
  expect(stored(each)).toEqual(all);
  expect(frames[0]).toBe(20);
  expect(Math.max(...frames)).toBe(20);
});

test("2: with a throttle one at a time, paced, without a refusal", async () => {
  const each = await setting({ throttleMs: 1_000 });
  let refused = 0;
  each.ann.network.fate = (way, text) => {
    if (way === "in" && text.includes("throttled")) refused++;
    return "pass";
  };
  ["a", "b", "c"].forEach((text) => send(each, text));
  await each.world.clock.advance(2_100);
  expect(stored(each)).toEqual(["a", "b", "c"]);
  expect(refused).toBe(0);
});

test("2: `throttled` waits exactly as long as the server says", async () => {
  const each = await setting({ throttleMs: 5_000 });
  const { server } = each.world;
  const room = server.database.room(each.room, each.ann.userId);
  // Another device of the same person has just sent.
  const other = { userId: each.ann.userId, id: "x", text: "x", replyTo: null, mentions: [] };
  server.append(room, other);
  send(each, "a");
  await each.world.clock.advance(4_990);
  expect(stored(each)).toEqual(["x"]);
  await each.world.clock.advance(30);
  expect(stored(each)).toEqual(["x", "a"]);
});

test("3: no answer within ten seconds: ping, then the same id again", async () => {
  const each = await setting();
  lose(each.ann, "out", '"send"');
  const sent = send(each, "Hello");
  await each.world.clock.advance(9_000);
  each.ann.network.fate = () => "pass";
  await each.world.clock.advance(1_100);
  expect(await sent.settled).toMatchObject({ ok: true, value: { duplicate: false } });
  expect(each.world.server.connections).toHaveLength(1);
});

test("3: a lost ack: the same id again, stored once", async () => {
  const each = await setting();
  each.ann.network.fate = (way, text) =>
    way === "in" && /"ack"|"message"/.test(text) ? "lose" : "pass";
  const sent = send(each, "Hello");
  await each.world.clock.advance(5_000);
  expect(sent.status.get()).toBe("sending");
  each.ann.network.fate = () => "pass";
  each.ann.network.drop();
  await each.world.clock.advance(2_000);
  expect(sent.status.get()).toBe("sent");
  expect(stored(each)).toEqual(["Hello"]);
  expect(texts(each.ann, each.room)).toEqual(["Hello"]);
});

test("3: no socket for ten seconds while HTTP answers: sent over REST", async () => {
  const each = await setting();
  each.ann.network.fate = () => "lose";
  each.ann.network.drop();
  const sent = [send(each, "a"), send(each, "b")];
  await each.world.clock.advance(9_000);
  expect(stored(each)).toEqual([]);
  await each.world.clock.advance(2_000);
  expect(stored(each)).toEqual(["a", "b"]);
  expect(sent.map(({ status }) => status.get())).toEqual(["sent", "sent"]);
  expect(texts(each.ann, each.room)).toEqual(["a", "b"]);
});

test.each(["unavailable", "overloaded", "internal"] as const)(
  "4: `%s` stays queued and is sent again with backoff",
  async (code) => {
    const each = await setting();
    let refused = 0;
    each.world.server.failWrites = () => (refused++, code);
    const sent = send(each, "Hello");
    await each.world.clock.advance(60_000);
    expect(sent.status.get()).toBe("queued");
    expect(refused).toBeGreaterThan(3);
    expect(refused).toBeLessThan(8);
    each.world.server.failWrites = () => null;
    await each.world.clock.advance(31_000);
    expect(sent.status.get()).toBe("sent");
  },
);

test("4: `invalid` fails the item and does not block the next", async () => {
  const each = await setting();
  const [bad, good] = [send(each, " "), send(each, "good")];
  await each.world.clock.advance(50);
  expect(await bad.settled).toMatchObject({ ok: false, error: { code: "invalid" } });
  expect(bad.status.get()).toBe("failed");
  expect(good.status.get()).toBe("sent");
  expect(bad.cancel()).toBe(true);
  expect(each.ann.client.outbox.items.get()).toEqual([]);
});

test("4: the same id with another text is a `conflict`, and fails", async () => {
  const each = await setting();
  const conversation = each.ann.client.conversation(each.room);
  await Promise.all([
    conversation.send({ text: "one", clientMessageId: "same" }).settled,
    each.world.clock.advance(50),
  ]);
  const again = conversation.send({ text: "two", clientMessageId: "same" });
  await each.world.clock.advance(50);
  expect(await again.settled).toMatchObject({ ok: false, error: { code: "conflict" } });
});

test("5: the removal and the message are one transaction", async () => {
  const inner = memoryStorage();
  const writes: string[][] = [];
  const storage: ChatStorage = {
    ...inner,
    write: (changes) => {
      writes.push(changes.map(({ key, value }) => `${value ? "put" : "remove"} ${key}`));
      return inner.write(changes);
    },
  };
  const each = await setting({}, { storage });
  // The ack arrives, the event does not.
  lose(each.ann, "in", '"message"');
  send(each, "Hello");
  await each.world.clock.advance(100);
  const removal = writes.find((write) => write.some((line) => /^remove .*outbox/.test(line)));
  expect(removal?.some((line) => /^put .*message/.test(line))).toBe(true);
  expect(await outboxKeys(storage)).toEqual([]);
});

test("5: the event may come instead of the ack", async () => {
  const each = await setting();
  lose(each.ann, "in", '"ack"');
  const sent = send(each, "Hello");
  await each.world.clock.advance(100);
  expect(sent.status.get()).toBe("sent");
  expect(texts(each.ann, each.room)).toEqual(["Hello"]);
});

test("5: after a reset an item is found in the history by its id", async () => {
  const each = await setting({ resumeEvents: 2 });
  each.ann.network.fate = (way, text) =>
    way === "in" && /"ack"|"message"/.test(text) ? "lose" : "pass";
  const sent = send(each, "Hello");
  await each.world.clock.advance(100);
  lose(each.ann, "out", '"send"');
  const room = each.world.server.database.room(each.room, each.ann.userId);
  for (let n = 0; n < 5; n++) {
    const other = { userId: each.world.userId("ben"), id: `b${n}`, text: `b${n}` };
    each.world.server.append(room, { ...other, replyTo: null, mentions: [] });
  }
  each.world.server.close(4000);
  await each.world.clock.advance(3_000);
  expect(sent.status.get()).toBe("sent");
  expect(texts(each.ann, each.room)).toEqual(["Hello", "b0", "b1", "b2", "b3", "b4"]);
});

test("6: cancel is free before it was transmitted, and refused afterwards", async () => {
  const each = await setting();
  each.ann.network.drop();
  await each.world.clock.advance(10);
  const [first, second] = [send(each, "a"), send(each, "b")];
  await each.world.clock.advance(1);
  expect(second.cancel()).toBe(true);
  expect(await second.settled).toMatchObject({ ok: false, error: { code: "cancelled" } });
  lose(each.ann, "out", '"send"');
  await each.world.clock.until(() => first.status.get() === "sending");
  expect(first.cancel()).toBe(false);
  each.ann.network.fate = () => "pass";
  await each.world.clock.advance(30_000);
  expect(stored(each)).toEqual(["a"]);
});

test("6: what may be stored cannot be cancelled after a reload either", async () => {
  const [storage, locks] = [memoryStorage(), new TabLocks()];
  const each = await setting({}, { storage, locks });
  lose(each.ann, "out", '"send"');
  send(each, "transmitted");
  await each.world.clock.advance(100);
  each.ann.kill();
  const again = await each.world.device("ann", { storage, locks });
  again.network.down = true;
  again.client.start();
  await each.world.clock.advance(100);
  const [item] = again.client.outbox.items.get();
  expect(item).toMatchObject({ text: "transmitted" });
  expect(item?.cancel()).toBe(false);
});

test("7: after a reload everything is queued again, in order and with the same ids", async () => {
  const [storage, locks] = [memoryStorage(), new TabLocks()];
  const each = await setting({}, { storage, locks });
  each.ann.network.down = true;
  const ids = ["a", "b", "c"].map((text) => send(each, text).clientMessageId);
  await each.world.clock.advance(100);
  each.ann.kill();
  const again = await each.world.device("ann", { storage, locks });
  again.client.start();
  await each.world.clock.advance(5_000);
  const { messages } = each.world.server.database.room(each.room, each.ann.userId);
  expect(messages.map((message) => message.client_message_id)).toEqual(ids);
  expect(again.client.outbox.items.get()).toEqual([]);
  expect(await outboxKeys(storage)).toEqual([]);
});

test("7: what waited longer than a day fails, and is sent when a person says so", async () => {
  const [storage, locks] = [memoryStorage(), new TabLocks()];
  const each = await setting({}, { storage, locks });
  each.ann.network.down = true;
  send(each, "old");
  await each.world.clock.advance(100);
  each.ann.kill();
  each.world.clock.sleep(25 * 60 * 60 * 1000);
  const again = await each.world.device("ann", { storage, locks });
  again.client.start();
  await each.world.clock.advance(30_000);
  expect(stored(each)).toEqual([]);
  const [item] = again.client.outbox.items.get();
  expect(item?.status.get()).toBe("failed");
  expect(item?.error.get()?.code).toBe("too_old");
  // It was transmitted before: only the server knows.
  expect([item?.mayBeStored, item?.cancel()]).toEqual([true, false]);
  item?.retry();
  await each.world.clock.advance(15_000);
  expect(stored(each)).toEqual(["old"]);
  expect(await item?.settled).toMatchObject({ ok: true });
});

test("7: one that waited too long, and that the server has all the same, ends as sent", async () => {
  const [storage, locks] = [memoryStorage(), new TabLocks()];
  const each = await setting({}, { storage, locks });
  // Neither the ack nor the event arrives.
  lose(each.ann, "in", "");
  send(each, "old");
  await each.world.clock.advance(100);
  each.ann.kill();
  each.world.clock.sleep(25 * 60 * 60 * 1000);
  const again = await each.world.device("ann", { storage, locks });
  again.client.start();
  await each.world.clock.advance(10_000);
  const [item] = again.client.outbox.items.get();
  expect(item?.status.get()).toBe("failed");
  again.client.conversation(each.room).hold();
  await each.world.clock.until(() => item?.status.get() === "sent");
  expect(await item?.settled).toMatchObject({ ok: true });
});

test("7: what waited longer than a day and never left can be deleted", async () => {
  const world = new World();
  const [storage, locks, room] = [memoryStorage(), new TabLocks(), world.room("ann", "ben")];
  const ann = await world.device("ann", { storage, locks });
  ann.network.down = true;
  ann.client.start();
  ann.client.conversation(room).send("old");
  await world.clock.advance(100);
  ann.kill();
  world.clock.sleep(25 * 60 * 60 * 1000);
  const again = await world.device("ann", { storage, locks });
  again.client.start();
  await world.clock.advance(30_000);
  const [item] = again.client.outbox.items.get();
  expect(item?.error.get()?.code).toBe("too_old");
  expect([item?.mayBeStored, item?.cancel()]).toEqual([false, true]);
  expect(again.client.outbox.items.get()).toEqual([]);
});

test("9: a living tab keeps its items; those of a closed one are adopted", async () => {
  const [storage, locks] = [memoryStorage(), new TabLocks()];
  const each = await setting({}, { storage, locks });
  const other = await each.world.live("ann", each.room, { storage, locks });
  each.ann.network.down = true;
  send(each, "from the first tab");
  await each.world.clock.advance(60_000);
  expect(stored(each)).toEqual([]);
  each.ann.kill();
  await each.world.clock.advance(16_000);
  expect(stored(each)).toEqual(["from the first tab"]);
  expect(other.client.outbox.items.get()).toEqual([]);
});

test("9: without shared locks both tabs may send; it is stored once", async () => {
  const storage = memoryStorage();
  const each = await setting({}, { storage });
  const other = await each.world.live("ann", each.room, { storage });
  each.ann.network.down = true;
  send(each, "twice");
  await each.world.clock.advance(20_000);
  each.ann.network.down = false;
  await each.world.clock.advance(60_000);
  expect(stored(each)).toEqual(["twice"]);
  expect(other.client.outbox.items.get()).toEqual([]);
  expect(each.ann.client.outbox.items.get()).toEqual([]);
});

test("a conversation without a holder is connected while it has something to send", async () => {
  const world = new World();
  const room = world.room("ann", "ben");
  const ann = await world.device("ann");
  ann.client.start();
  const sent = ann.client.conversation(room).send("unheld");
  await world.clock.advance(1_000);
  expect(sent.status.get()).toBe("sent");
  await world.clock.advance(61_000);
  expect(world.server.connections).toHaveLength(0);
});

test("what was sent before the user is known is kept and sent", async () => {
  const world = new World();
  const room = world.room("ann", "ben");
  const ann = await world.device("ann");
  const sent = ann.client.conversation(room).send("early");
  ann.client.start();
  await world.clock.advance(1_000);
  expect(await sent.settled).toMatchObject({ ok: true });
  expect(texts(ann, room)).toEqual(["early"]);
});
