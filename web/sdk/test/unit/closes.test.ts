/** The table of close codes and failures (docs/clients.md §8), one row a test. */
import { describe, expect, test } from "vitest";
import { closeReaction } from "../../src/connection/close_codes.js";
import type { StreamState } from "../../src/index.js";
import { texts, World, type Device } from "../support/world.js";

describe("the reaction to a code", () => {
  test.each([
    [1001, "", { do: "reconnect" }],
    [1002, "", { do: "refuse", retryMs: null }],
    [1006, "", { do: "reconnect" }],
    [1007, "", { do: "refuse", retryMs: null }],
    [1011, "", { do: "reconnect" }],
    [1012, "", { do: "reconnect" }],
    [1013, "", { do: "reconnect" }],
    [4000, "restarting", { do: "reconnect" }],
    [4001, "slow consumer", { do: "reconnect" }],
    [4002, "heartbeat lost", { do: "reconnect" }],
    [4100, "flooding; after_ms=10000", { do: "wait", ms: 10_000 }],
    [4101, "overloaded; after_ms=2000", { do: "wait", ms: 2_000 }],
    [4101, "", { do: "wait", ms: 5_000 }],
    [4200, "token expired", { do: "renew" }],
    [4400, "malformed", { do: "refuse", retryMs: null }],
    [4401, "token invalid or session revoked", { do: "reauthenticate" }],
    [4403, "not a member", { do: "refuse", retryMs: null }],
    [4404, "no such conversation", { do: "refuse", retryMs: null }],
    [4409, "too many sockets; after_ms=25000", { do: "refuse", retryMs: 25_000 }],
    [4409, "", { do: "refuse", retryMs: 60_000 }],
    [4413, "frame too large", { do: "refuse", retryMs: null }],
    // Codes of later servers, by range.
    [4050, "", { do: "reconnect" }],
    [4150, "after_ms=700", { do: "wait", ms: 700 }],
    [4250, "", { do: "renew" }],
    [4450, "", { do: "refuse", retryMs: null }],
  ])("%i %s", (code, reason, reaction) => {
    expect(closeReaction(code, reason)).toEqual(reaction);
  });
});

interface Setting {
  world: World;
  room: number;
  ann: Device;
  states: StreamState[];
}

/** Ann, live in a conversation with ben; her states are recorded from then on. */
async function setting(): Promise<Setting> {
  const world = new World();
  const room = world.room("ann", "ben");
  const ann = await world.live("ann", room);
  const states: StreamState[] = [];
  ann.client.conversation(room).state.subscribe((state) => states.push(state));
  return { world, room, ann, states };
}

const stateOf = ({ ann, room }: Setting): StreamState => ann.client.conversation(room).state.get();

/** Stores a message of ben that ann's socket does not deliver. */
function missed({ world, room }: Setting, text: string): void {
  const { server } = world;
  const userId = world.userId("ben");
  const send = { userId, id: text, text, replyTo: null, mentions: [] };
  server.database.append(server.database.room(room, userId), send, 0);
}

test.each([1001, 1006, 1011, 4000, 4001, 4002])(
  "%i: reconnects with backoff and resumes what was missed",
  async (code) => {
    const each = await setting();
    missed(each, "missed");
    each.world.server.close(code);
    await each.world.clock.advance(20);
    expect(stateOf(each)).toMatchObject({ name: "waiting", attempt: 1, cause: code });
    await each.world.clock.advance(1_000);
    expect(each.states.map(({ name }) => name)).toEqual([
      "live",
      "waiting",
      "connecting",
      "resuming",
      "live",
    ]);
    expect(texts(each.ann, each.room)).toEqual(["missed"]);
  },
);

test("no hello within ten seconds: reconnects", async () => {
  const each = await setting();
  each.ann.network.fate = (_, text) => (text.includes('"hello"') ? "lose" : "pass");
  each.world.server.close(4000);
  await each.world.clock.advance(9_000);
  expect(stateOf(each).name).toBe("connecting");
  await each.world.clock.advance(2_000);
  expect(stateOf(each)).toMatchObject({ name: "waiting", cause: "silent" });
  each.ann.network.fate = () => "pass";
  await each.world.clock.advance(2_000);
  expect(stateOf(each).name).toBe("live");
});

test("4100 and 4101: wait as long as the reason says, and a fifth more at most", async () => {
  const each = await setting();
  each.world.server.close(4101, "overloaded; after_ms=2000");
  await each.world.clock.advance(20);
  // Waking and `reconnect` do not shorten what the server asked for.
  each.ann.client.reconnect();
  await each.world.clock.advance(1_970);
  expect(stateOf(each)).toMatchObject({ name: "waiting", cause: 4101 });
  await each.world.clock.advance(450);
  expect(stateOf(each).name).toBe("live");
});

test("4200: gets a new token and reconnects at once", async () => {
  const each = await setting();
  each.world.server.close(4200);
  await each.world.clock.advance(60);
  expect(stateOf(each).name).toBe("live");
  expect(each.world.server.database.sessions[0]?.previous).not.toBeNull();
});

test("4200 while no token is to be had: backoff, not the end", async () => {
  const each = await setting();
  each.ann.network.requestFate = () => "lose request";
  each.world.server.close(4200);
  await each.world.clock.advance(50_000);
  expect(each.states).toContainEqual(expect.objectContaining({ cause: "token" }));
  expect(stateOf(each).name).not.toBe("live");
  each.ann.network.requestFate = () => "pass";
  await each.world.clock.advance(60_000);
  expect(stateOf(each).name).toBe("live");
});

test("4401 with a token older than a minute: tries once with a new one", async () => {
  const each = await setting();
  await each.world.clock.advance(61_000);
  each.world.server.close(4401);
  await each.world.clock.advance(100);
  expect(stateOf(each).name).toBe("live");
});

test("4401 with a fresh token: signed out, and the queue is kept for the same user", async () => {
  const each = await setting();
  const { ann, world, room } = each;
  ann.network.fate = (direction) => (direction === "out" ? "lose" : "pass");
  ann.client.conversation(room).send("kept");
  world.server.revoke(ann.userId);
  await world.clock.advance(100);
  expect(ann.client.state.get()).toEqual({ name: "signed-out", code: "session_revoked" });
  expect(ann.client.outbox.paused.get()).toBe("signed-out");
  expect(ann.client.outbox.items.get()).toHaveLength(1);
  ann.network.fate = () => "pass";
  const login = ann.tokens.login("ann", "correct horse");
  await world.clock.advance(50);
  expect((await login).ok).toBe(true);
  ann.client.start();
  await world.clock.advance(1_000);
  expect(ann.client.outbox.items.get()).toHaveLength(0);
  expect(texts(ann, room)).toEqual(["kept"]);
});

test.each([
  [4403, "not_member"],
  [4404, "not_found"],
])("%i: refused; its queued items fail, and it leaves the list", async (code, error) => {
  const each = await setting();
  const { ann, world, room } = each;
  await world.clock.advance(1_000);
  expect(ann.client.conversations.get()).toHaveLength(1);
  ann.network.fate = (direction) => (direction === "out" ? "lose" : "pass");
  const sent = ann.client.conversation(room).send("too late");
  world.server.close(code);
  await world.clock.advance(20);
  expect(stateOf(each)).toEqual({ name: "refused", code, retryAt: null });
  expect(await sent.settled).toMatchObject({ ok: false, error: { code: error } });
  expect(ann.client.conversations.get()).toHaveLength(0);
  expect(ann.client.state.get().name).toBe("live");
});

test("4409: refused, and tried again after the time of the reason", async () => {
  const each = await setting();
  each.world.server.close(4409, "too many sockets; after_ms=25000");
  await each.world.clock.advance(24_000);
  expect(stateOf(each)).toMatchObject({ name: "refused", code: 4409 });
  await each.world.clock.advance(2_000);
  expect(stateOf(each).name).toBe("live");
});

test("4409: a person may try earlier, and a page that becomes visible does", async () => {
  const each = await setting();
  each.world.server.close(4409, "too many sockets; after_ms=25000");
  await each.world.clock.advance(3_000);
  expect(stateOf(each)).toMatchObject({ name: "refused", code: 4409 });
  each.ann.client.reconnect();
  await each.world.clock.advance(500);
  expect(stateOf(each).name).toBe("live");
});

test.each([4400, 4413])("%i: refused, and the item in flight fails", async (code) => {
  const each = await setting();
  const { ann, world, room } = each;
  ann.network.fate = (direction) => (direction === "out" ? "lose" : "pass");
  const sent = ann.client.conversation(room).send("unreadable");
  await world.clock.advance(20);
  world.server.close(code);
  await world.clock.advance(20);
  expect(stateOf(each)).toMatchObject({ name: "refused", code });
  expect(await sent.settled).toMatchObject({ ok: false, error: { retryable: false } });
});

test("the backoff grows until a resume is answered, not when a socket opens", async () => {
  const each = await setting();
  let accepted = 0;
  each.world.server.onAccept = (connection) => {
    accepted++;
    connection.close(4000, "");
  };
  each.world.server.close(4000);
  await each.world.clock.advance(60_000);
  expect(accepted).toBeGreaterThan(5);
  expect(accepted).toBeLessThan(13);
  expect(each.ann.client.state.get().name).toBe("offline");
  each.world.server.onAccept = () => {};
  await each.world.clock.advance(20_000);
  each.world.server.close(4000);
  await each.world.clock.advance(20);
  expect(stateOf(each)).toMatchObject({ name: "waiting", attempt: 1 });
});

test("a silent line is found within a heartbeat and ten seconds", async () => {
  const each = await setting();
  each.ann.network.silence();
  missed(each, "while silent");
  await each.world.clock.advance(34_000);
  expect(stateOf(each).name).toBe("live");
  await each.world.clock.advance(3_000);
  expect(stateOf(each).name).toBe("live");
  expect(each.states.some(({ name }) => name === "waiting")).toBe(true);
  expect(texts(each.ann, each.room)).toEqual(["while silent"]);
});

test.each(["visible", "online", "resumed"] as const)(
  "%s: a silent line is found within three seconds",
  async (event) => {
    const each = await setting();
    const { environment, network } = each.ann;
    network.silence();
    if (event === "visible") environment.setVisible(true);
    if (event === "online") environment.setOnline(true);
    if (event === "resumed") environment.resume();
    await each.world.clock.advance(2_900);
    expect(stateOf(each).name).toBe("live");
    await each.world.clock.advance(200);
    expect(stateOf(each)).toMatchObject({ name: "waiting", cause: "silent" });
  },
);

test("a page that slept finds a silent line three seconds after its timers run again", async () => {
  const each = await setting();
  each.ann.network.silence();
  each.world.clock.sleep(600_000);
  await each.world.clock.advance(3_100);
  expect(each.states.some(({ name }) => name === "waiting")).toBe(true);
});

test("online and reconnect attempt at once, at most once in two seconds", async () => {
  const each = await setting();
  const { ann, world } = each;
  ann.network.down = true;
  ann.network.drop();
  await world.clock.advance(30_000);
  const before = stateOf(each);
  expect(before.name).toBe("waiting");
  await world.clock.advance(2_000);
  ann.network.down = false;
  for (let click = 0; click < 20; click++) ann.client.reconnect();
  await world.clock.advance(2_050);
  expect(stateOf(each).name).toBe("live");
});

test("a token that expires is replaced on the open socket, without a gap", async () => {
  const world = new World({ accessSeconds: 120 });
  const room = world.room("ann", "ben");
  const ann = await world.live("ann", room);
  const states: string[] = [];
  ann.client.conversation(room).state.subscribe(({ name }) => states.push(name));
  await world.clock.advance(600_000);
  expect(states).toEqual(["live"]);
  expect(world.server.connections).toHaveLength(1);
});

test("a page without a network finds its dead socket within three seconds, and is offline", async () => {
  const each = await setting();
  const { client, environment, network } = each.ann;
  network.silence();
  network.down = true;
  environment.setOnline(false);
  await each.world.clock.advance(3_100);
  expect(stateOf(each)).toMatchObject({ name: "waiting", cause: "silent" });
  expect(client.state.get()).toMatchObject({ name: "offline" });
  expect(client.outbox.paused.get()).toBe("offline");
  network.down = false;
  environment.setOnline(true);
  await each.world.clock.advance(5_000);
  expect(client.state.get()).toEqual({ name: "live" });
});

test("a page that reports no network and reaches its server is not offline", async () => {
  const each = await setting();
  each.ann.environment.setOnline(false);
  await each.world.clock.advance(60_000);
  expect(stateOf(each).name).toBe("live");
  expect(each.ann.client.state.get()).toEqual({ name: "live" });
});

test("a client whose list fails and whose conversation answers is not offline", async () => {
  const each = await setting();
  const { client, network } = each.ann;
  network.down = true;
  await each.world.clock.advance(29_000);
  expect(stateOf(each).name).toBe("live");
  expect(client.state.get()).toMatchObject({ name: "waiting" });
});

test("4200 again and again, with a provider that has no better token: backoff", async () => {
  const world = new World();
  const room = world.room("ann", "ben");
  const { access } = world.server.open(world.userId("ann"));
  const ann = await world.live("ann", room, {
    client: { tokens: { get: async () => ({ access }) } },
  });
  let accepted = 0;
  world.server.onAccept = (connection) => {
    accepted++;
    connection.close(4200, "token expired");
  };
  world.server.close(4200);
  await world.clock.advance(60_000);
  expect(accepted).toBeGreaterThan(3);
  expect(accepted).toBeLessThan(13);
  world.server.onAccept = () => {};
  await world.clock.advance(20_000);
  expect(ann.client.conversation(room).state.get().name).toBe("live");
});

test("a silent line is found although someone asks to reconnect all the time", async () => {
  const each = await setting();
  each.ann.network.silence();
  for (let click = 0; click < 4; click++) {
    each.ann.client.reconnect();
    await each.world.clock.advance(1_000);
  }
  expect(each.states.some(({ name }) => name === "waiting")).toBe(true);
});
