/** Order, continuity and the window. */
import { expect, test } from "vitest";
import { memoryStorage, type Message, type TimelineWindow } from "../../src/index.js";
import { MessageLog } from "../../src/timeline/log.js";
import { TabLocks, texts, World, type Device } from "../support/world.js";

interface Setting {
  world: World;
  room: number;
  /** Stores messages of ben, with their events. */
  ben(...texts: string[]): void;
}

function setting(options: ConstructorParameters<typeof World>[0] = {}): Setting {
  const world = new World(options);
  const room = world.room("ann", "ben");
  const userId = world.userId("ben");
  const ben = (...all: string[]): void => {
    for (const text of all) {
      const send = { userId, id: `ben-${text}`, text, replyTo: null, mentions: [] };
      world.server.append(world.server.database.room(room, userId), send);
    }
  };
  return { world, room, ben };
}

const numbered = (count: number, from = 1): string[] =>
  Array.from({ length: count }, (_, at) => `m${at + from}`);

const windowOf = (device: Device, room: number): TimelineWindow =>
  device.client.conversation(room).timeline.window.get();

async function act(world: World, work: Promise<unknown>): Promise<void> {
  await world.clock.advance(1_000);
  await work;
}

test("it opens with the newest rows and reads older ones on demand", async () => {
  const { world, room, ben } = setting();
  ben(...numbered(250));
  const ann = await world.live("ann", room);
  expect(texts(ann, room)).toEqual(numbered(60, 191));
  const { timeline } = ann.client.conversation(room);
  await act(world, timeline.earlier());
  expect(texts(ann, room)).toEqual(numbered(120, 131));
  for (let more = 0; more < 3; more++) await act(world, timeline.earlier());
  // 240 rows are kept: the far side is trimmed, and the window no longer follows.
  expect(texts(ann, room)).toEqual(numbered(240));
  expect(windowOf(ann, room)).toMatchObject({ atStart: true, atEnd: false, lastNumber: 250 });
  ben("new");
  await world.clock.advance(100);
  expect(texts(ann, room)).toEqual(numbered(240));
  await act(world, timeline.latest());
  expect(texts(ann, room).at(-1)).toBe("new");
  expect(windowOf(ann, room)).toMatchObject({ atEnd: true });
});

test("a window that follows stays small, and begins again after a burst", async () => {
  const { world, room, ben } = setting();
  ben(...numbered(100));
  const limits = { firstRows: 10, followedRows: 20 };
  const ann = await world.live("ann", room, { client: { limits } });
  expect(texts(ann, room)).toEqual(numbered(10, 91));
  ben(...numbered(20, 101));
  await world.clock.advance(100);
  expect(texts(ann, room)).toEqual(numbered(30, 91));
  ben("m121");
  await world.clock.advance(100);
  expect(texts(ann, room)).toEqual(numbered(20, 102));
  ann.network.drop();
  ben(...numbered(40, 122));
  await world.clock.advance(2_000);
  expect(texts(ann, room)).toEqual(numbered(10, 152));
});

test("a detached window keeps its rows, and follows again at the end", async () => {
  const { world, room, ben } = setting();
  ben(...numbered(10));
  const limits = { firstRows: 10, followedRows: 10 };
  const ann = await world.live("ann", room, { client: { limits } });
  const { timeline } = ann.client.conversation(room);
  timeline.detach();
  await act(world, timeline.earlier());
  expect(windowOf(ann, room)).toMatchObject({ following: false, atEnd: true });
  ben(...numbered(30, 11));
  await world.clock.advance(100);
  expect(texts(ann, room)).toEqual(numbered(10));
  expect(windowOf(ann, room)).toMatchObject({ atEnd: false, lastNumber: 40 });
  await act(world, timeline.later());
  expect(texts(ann, room)).toEqual(numbered(40));
  expect(windowOf(ann, room)).toMatchObject({ following: true, atEnd: true });
});

test("it jumps to a message and on to the end", async () => {
  const { world, room, ben } = setting();
  ben(...numbered(300));
  const ann = await world.live("ann", room);
  const { timeline } = ann.client.conversation(room);
  await act(world, timeline.around(100));
  expect(texts(ann, room)).toEqual(numbered(61, 70));
  await act(world, timeline.later());
  expect(texts(ann, room)).toEqual(numbered(121, 70));
  for (let more = 0; more < 3; more++) await act(world, timeline.later());
  expect(windowOf(ann, room).atEnd).toBe(true);
  expect(windowOf(ann, room).rows.some(({ kind }) => kind === "hole")).toBe(false);
});

test("events beyond a gap are resumed, not applied", async () => {
  const { world, room, ben } = setting();
  const ann = await world.live("ann", room);
  ann.network.fate = (way, text) => (way === "in" && text.includes("lost") ? "lose" : "pass");
  ben("lost");
  ann.network.fate = () => "pass";
  ben("after");
  await world.clock.advance(100);
  expect(texts(ann, room)).toEqual(["lost", "after"]);
  expect(world.server.connections).toHaveLength(1);
});

test("an event that arrives again is not reported again", async () => {
  const { world, room, ben } = setting();
  const ann = await world.live("ann", room);
  const reported: number[] = [];
  ann.client.on("event", ({ event }) => reported.push(event.seq));
  ann.network.fate = (way, text) => (way === "in" && text.includes("again") ? "duplicate" : "pass");
  ben("again", "after");
  await world.clock.advance(60_000);
  expect(texts(ann, room)).toEqual(["again", "after"]);
  expect(reported).toEqual([...new Set(reported)]);
  expect(reported).toHaveLength(2);
});

test("an acknowledged message that a page skips is read from the server", () => {
  const log = new MessageLog({ firstRows: 60, followedRows: 240, windowRows: 240 });
  const message = (number: number, version: number): Message => ({
    id: number,
    sender_id: 1,
    sender: "ann",
    content: `m${number}`,
    timestamp: "2026-01-01T00:00:00Z",
    seq: number,
    number,
    client_message_id: `id-${number}`,
    reply_to: null,
    mentions: [],
    version,
  });
  // The acknowledgement says nothing about edits that followed it.
  expect(log.acknowledge(message(5, 0))).toBe(true);
  log.merge(Array.from({ length: 100 }, (_, at) => message(at + 200, 1)));
  log.extend(299);
  log.begin();
  expect(log.missing(1, 10)).toEqual({ from: 1, to: 10 });
});

test("a gap beyond one resume keeps what is on the screen, read again", async () => {
  const { world, room, ben } = setting({ resumeEvents: 20 });
  ben(...numbered(10));
  const ann = await world.live("ann", room);
  ann.network.down = true;
  ann.network.drop();
  const database = world.server.database.room(room, world.userId("ben"));
  world.server.change(database, world.userId("ben"), database.messages[0]?.id ?? 0, "edited");
  ben(...numbered(200, 11));
  ann.network.down = false;
  ann.client.reconnect();
  await world.clock.advance(3_000);
  expect(texts(ann, room)).toEqual(["edited", ...numbered(9, 2)]);
  expect(windowOf(ann, room)).toMatchObject({ atEnd: false, lastNumber: 210 });
  await act(world, ann.client.conversation(room).timeline.latest());
  expect(texts(ann, room)).toEqual(numbered(60, 151));
});

test("another history of the database replaces everything", async () => {
  const { world, room, ben } = setting();
  ben("old 1", "old 2");
  const ann = await world.live("ann", room);
  const database = world.server.database.room(room, ann.userId);
  database.messages.length = 0;
  database.events.length = 0;
  ben("new");
  world.server.restart("epoch-2");
  await world.clock.advance(3_000);
  expect(texts(ann, room)).toEqual(["new"]);
});

test("edits and deletions missed while away are applied", async () => {
  const { world, room, ben } = setting();
  ben("one", "two");
  const ann = await world.live("ann", room);
  ann.network.drop();
  const database = world.server.database.room(room, world.userId("ben"));
  const [one, two] = database.messages.map(({ id }) => id);
  world.server.change(database, world.userId("ben"), one ?? 0, "one, edited");
  world.server.change(database, world.userId("ben"), two ?? 0, "");
  await world.clock.advance(2_000);
  expect(texts(ann, room)).toEqual(["one, edited", ""]);
});

test("a page that was read before an edit does not bring the old text back", async () => {
  const { world, room, ben } = setting();
  ben(...numbered(250));
  const ann = await world.live("ann", room);
  const { timeline } = ann.client.conversation(room);
  const database = world.server.database.room(room, world.userId("ben"));
  const first = database.messages[0]?.id ?? 0;
  // Not loaded yet: the page is on its way back when the edit happens, which is faster.
  ann.network.latency = () => 50;
  const reading = timeline.around(1);
  await world.clock.advance(60);
  ann.network.latency = () => 1;
  world.server.change(database, world.userId("ben"), first, "edited");
  await world.clock.advance(10);
  expect(texts(ann, room)).toEqual([]);
  await act(world, reading);
  expect(texts(ann, room)[0]).toBe("edited");
});

test("what was read is shown after a reload without a network", async () => {
  const { world, room, ben } = setting();
  const [storage, locks] = [memoryStorage(), new TabLocks()];
  ben(...numbered(5));
  const ann = await world.live("ann", room, { storage, locks });
  ben("live");
  await world.clock.advance(1_000);
  ann.kill();
  const again = await world.device("ann", { storage, locks });
  again.network.down = true;
  again.client.start();
  again.client.conversation(room).hold();
  await world.clock.advance(100);
  expect(texts(again, room)).toEqual([...numbered(5), "live"]);
  expect(again.client.conversations.get()).toHaveLength(1);
  ben("in between");
  again.network.down = false;
  again.client.reconnect();
  await world.clock.advance(5_000);
  expect(texts(again, room)).toEqual([...numbered(5), "live", "in between"]);
});

test("what storage has stays until the first page has come", async () => {
  const { world, room, ben } = setting();
  const [storage, locks] = [memoryStorage(), new TabLocks()];
  ben(...numbered(3));
  const ann = await world.live("ann", room, { storage, locks });
  await world.clock.advance(1_000);
  ann.kill();
  const open = async (): Promise<Device> => {
    const device = await world.device("ann", { storage, locks });
    device.network.requestFate = ({ path }) =>
      path.includes("/messages/") ? "lose request" : "pass";
    device.client.start();
    device.client.conversation(room).hold();
    await world.clock.advance(2_000);
    return device;
  };
  (await open()).kill();
  const again = await open();
  expect(texts(again, room)).toEqual(numbered(3));
  again.network.requestFate = () => "pass";
  await world.clock.advance(20_000);
  expect(again.client.state.get().name).toBe("live");
  expect(await storage.list(`user/${again.userId}/message/`)).toHaveLength(3);
});

test("a batch is one change of the window", async () => {
  const { world, room, ben } = setting();
  const ann = await world.live("ann", room);
  ann.network.drop();
  ben(...numbered(40));
  let changes = -1;
  ann.client.conversation(room).timeline.window.subscribe(() => changes++);
  await world.clock.advance(2_000);
  expect(texts(ann, room)).toEqual(numbered(40));
  expect(changes).toBe(1);
});

test("a row keeps its identity until its message changes", async () => {
  const { world, room, ben } = setting();
  ben("one", "two");
  const ann = await world.live("ann", room);
  const [one, two] = windowOf(ann, room).rows;
  const database = world.server.database.room(room, world.userId("ben"));
  world.server.change(database, world.userId("ben"), database.messages[1]?.id ?? 0, "edited");
  ben("three");
  await world.clock.advance(100);
  const { rows } = windowOf(ann, room);
  expect(rows[0]).toBe(one);
  expect(rows[1]).not.toBe(two);
});

test("members who come and go are rows between the messages, and in the list", async () => {
  const world = new World();
  const room = world.room("ann", "ben", "cem");
  const dora = world.userId("dora");
  const ann = await world.live("ann", room);
  const conversation = ann.client.conversation(room);
  await act(world, conversation.members.more());
  await act(world, conversation.send("before").settled);
  await act(world, conversation.members.add(dora));
  await act(world, conversation.send("after").settled);
  const { rows } = conversation.timeline.window.get();
  expect(rows.map(({ kind }) => kind)).toEqual(["message", "member", "message"]);
  expect(conversation.members.list.get().map(({ username }) => username)).toContain("dora");
  await act(world, conversation.members.remove(dora));
  expect(conversation.members.list.get()).toHaveLength(3);
});

test("a place reached in what storage had stays when the first page arrives", async () => {
  const { world, room, ben } = setting();
  ben(...numbered(250));
  const storage = memoryStorage();
  const before = await world.live("ann", room, { storage });
  await act(world, before.client.conversation(room).timeline.earlier());
  await world.clock.advance(5_000);
  await before.client.stop();
  before.kill();

  const ann = await world.device("ann", { storage });
  const { timeline } = ann.client.conversation(room);
  ann.client.start();
  ann.client.conversation(room).hold();
  await world.clock.until(() => windowOf(ann, room).loaded);
  expect(ann.client.conversation(room).state.get().name).not.toBe("live");
  const seen: string[][] = [];
  timeline.window.subscribe(() => seen.push(texts(ann, room)));
  await act(world, timeline.around(160));
  await world.clock.until(() => ann.client.conversation(room).state.get().name === "live");
  expect(texts(ann, room)).toEqual(numbered(61, 130));
  expect(windowOf(ann, room)).toMatchObject({ atEnd: false, lastNumber: 250 });
  // It never left that place.
  expect(seen.slice(1).every((shown) => shown.includes("m160"))).toBe(true);
});
