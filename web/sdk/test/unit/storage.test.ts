/** Every storage keeps the same promises. */
import { IDBFactory, IDBKeyRange } from "fake-indexeddb";
import { describe, expect, test, vi } from "vitest";
import { countUnsent, forgetUser, memoryStorage, type ChatStorage } from "../../src/index.js";
import { indexedDbStorage } from "../../src/indexeddb.js";
import { TabLocks, World } from "../support/world.js";

vi.stubGlobal("IDBKeyRange", IDBKeyRange);

describe.each<[string, () => ChatStorage]>([
  ["memory", memoryStorage],
  ["IndexedDB", () => indexedDbStorage({ indexedDB: new IDBFactory() })],
])("%s", (_, open) => {
  test("keys are sorted, and listed by their beginning", async () => {
    const storage = open();
    await storage.write(["b/2", "a/1", "b/10", "b", "c"].map((key) => ({ key, value: { key } })));
    expect(await storage.list("b/")).toEqual([
      ["b/10", { key: "b/10" }],
      ["b/2", { key: "b/2" }],
    ]);
    expect(await storage.list("d")).toEqual([]);
  });

  test("a write replaces and removes", async () => {
    const storage = open();
    await storage.write([{ key: "a", value: 1 }]);
    await storage.write([
      { key: "a", value: 2 },
      { key: "b", value: 3 },
    ]);
    await storage.write([{ key: "b" }]);
    expect([await storage.get("a"), await storage.get("b")]).toEqual([2, undefined]);
  });

  test("what is read is a copy", async () => {
    const storage = open();
    const value = { list: [1] };
    await storage.write([{ key: "a", value }]);
    value.list.push(2);
    expect(await storage.get("a")).toEqual({ list: [1] });
  });

  test("everything of a user is forgotten, and nothing of another", async () => {
    const storage = open();
    const keys = ["user/1/outbox/x", "user/10/outbox/x", "login"];
    await storage.write(keys.map((key) => ({ key, value: 1 })));
    await forgetUser(storage, 1);
    expect(await storage.get("user/1/outbox/x")).toBeUndefined();
    expect(await storage.get("user/10/outbox/x")).toBe(1);
  });
});

test("the unsent messages of a user are counted in all tabs, the failed ones too", async () => {
  const world = new World();
  const room = world.room("ann", "ben");
  const locks = new TabLocks();
  const one = await world.live("ann", room, { locks });
  const two = await world.live("ann", room, { locks, storage: one.storage });
  expect(await countUnsent(one.storage, one.userId)).toBe(0);
  one.network.down = true;
  one.network.drop();
  const waiting = one.client.conversation(room).send("waits");
  const failed = two.client.conversation(room).send("x".repeat(66_000));
  await world.clock.advance(100);
  expect([waiting.status.get(), failed.status.get()]).toEqual(["queued", "failed"]);
  expect(await countUnsent(one.storage, one.userId)).toBe(2);
});

test("IndexedDB: a write that cannot be applied changes nothing", async () => {
  const storage = indexedDbStorage({ indexedDB: new IDBFactory() });
  const changes = [
    { key: "a", value: 1 },
    { key: "b", value: () => "not cloneable" },
  ];
  await expect(storage.write(changes)).rejects.toThrow();
  expect(await storage.get("a")).toBeUndefined();
});

test("IndexedDB: a database that cannot be opened is tried again", async () => {
  const factory = new IDBFactory();
  let broken = true;
  const flaky = {
    open: (...args: Parameters<IDBFactory["open"]>) => {
      if (broken) throw new DOMException("broken", "UnknownError");
      return factory.open(...args);
    },
  } as unknown as IDBFactory;
  const storage = indexedDbStorage({ indexedDB: flaky });
  await expect(storage.get("a")).rejects.toThrow();
  broken = false;
  expect(await storage.get("a")).toBeUndefined();
});

test("IndexedDB: a connection that the browser has lost is opened again", async () => {
  const factory = new IDBFactory();
  const databases: IDBDatabase[] = [];
  const open = (...args: Parameters<IDBFactory["open"]>): IDBOpenDBRequest => {
    const request = factory.open(...args);
    request.addEventListener("success", () => databases.push(request.result));
    return request;
  };
  const storage = indexedDbStorage({ indexedDB: { open } as unknown as IDBFactory });
  await storage.write([{ key: "a", value: 1 }]);
  databases[0]?.close();
  expect(await storage.get("a")).toBe(1);
  expect(databases).toHaveLength(2);
});

test("stop waits until what was just sent is stored", async () => {
  const inner = memoryStorage();
  const world = new World();
  const room = world.room("ann", "ben");
  let writing = 0;
  const storage: ChatStorage = {
    ...inner,
    write: async (changes) => {
      writing++;
      await new Promise<void>((resolve) => void world.clock.after(500, resolve));
      await inner.write(changes);
      writing--;
    },
  };
  const ann = await world.device("ann", { storage: inner, client: { storage } });
  ann.client.start();
  await world.clock.advance(2_000);
  ann.client.conversation(room).send("Hello");
  const stopped = ann.client.stop().then(() => expect(writing).toBe(0));
  await world.clock.advance(2_000);
  await stopped;
  const kept = await inner.list(`user/${ann.userId}/outbox/`);
  expect(kept).toHaveLength(1);
});

test("a client works on IndexedDB", async () => {
  const storage = indexedDbStorage({ indexedDB: new IDBFactory() });
  const world = new World();
  const room = world.room("ann", "ben");
  const ann = await world.device("ann", { storage });
  ann.client.start();
  const sent = ann.client.conversation(room).send("Hello");
  await vi.waitFor(async () => {
    await world.clock.advance(100);
    expect(sent.status.get()).toBe("sent");
  });
  expect(sent.durable.get()).toBe(true);
  await ann.client.stop();
  const kept = await storage.list(`user/${ann.userId}/`);
  expect(kept.some(([key]) => key.includes("/outbox/"))).toBe(false);
  expect(kept.some(([key]) => key.includes("/message/"))).toBe(true);
});

test("a browser without IndexedDB refuses every call, and none is thrown", async () => {
  const storage = indexedDbStorage();
  await expect(storage.get("a")).rejects.toThrow();
  await expect(storage.list("a")).rejects.toThrow();
  await expect(storage.write([{ key: "a", value: 1 }])).rejects.toThrow();
});

test("200 messages of each of the 50 conversations opened last are kept, and no more", async () => {
  const world = new World();
  const storage = memoryStorage();
  const rooms = Array.from({ length: 53 }, () => world.room("ann", "ben", "cem"));
  const ben = world.userId("ben");
  const write = (room: number, count: number): void => {
    for (let n = 0; n < count; n++) {
      const send = {
        userId: ben,
        id: `${room}-${n}-${Math.random()}`,
        text: `m${n}`,
        replyTo: null,
        mentions: [],
      };
      world.server.append(world.server.database.room(room, ben), send);
    }
  };
  for (const room of rooms) write(room, 3);
  const ann = await world.device("ann", { storage });
  ann.client.start();
  const [first = 0] = rooms;
  for (const room of rooms) {
    const conversation = ann.client.conversation(room);
    const release = conversation.hold();
    await world.clock.until(() => conversation.state.get().name === "live");
    if (room === rooms.at(-1)) for (let batch = 0; batch < 9; batch++) write(room, 50);
    await world.clock.advance(1_000);
    release();
  }
  while (!ann.client.conversations.complete.get()) {
    const more = ann.client.conversations.more();
    await world.clock.advance(1_000);
    await more;
  }
  await ann.client.stop();

  const count = async (path: string): Promise<number> =>
    (await storage.list(`user/${ann.userId}/${path}`)).length;
  const messages = (room: number): Promise<number> =>
    count(`message/${String(room).padStart(16, "0")}/`);
  expect(ann.client.conversations.get()).toHaveLength(53);
  expect(await count("conversation/")).toBe(50);
  expect(await messages(first)).toBe(0);
  expect(await messages(rooms[3] ?? 0)).toBe(3);
  expect(await messages(rooms.at(-1) ?? 0)).toBe(200);
  expect(await count("message/")).toBe(49 * 3 + 200);
});
