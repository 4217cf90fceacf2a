import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { createClient, memoryStorage, passwordTokens, type Client } from "../../src/index.js";
import { live, person, sees, together, until, URL_OF_SERVER, type Person } from "./people.js";
import { proxy, type Proxy } from "./proxy.js";

const opened: { stop(): unknown }[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((each) => each.stop()));
});

async function someone(options: Parameters<typeof person>[0] = {}): Promise<Person> {
  const each = await person(options);
  opened.push(each.client);
  return each;
}

async function behindProxy(): Promise<Person & { proxy: Proxy }> {
  const line = await proxy(URL_OF_SERVER);
  opened.push({ stop: () => line.end() });
  return { ...(await someone({ baseUrl: line.url })), proxy: line };
}

test("messages, edits and deletions reach the other person", async () => {
  const [ann, ben] = [await someone(), await someone()];
  const id = await together(ann, ben);
  const conversation = ann.client.conversation(id);
  const first = await conversation.send("Hello").settled;
  const second = await conversation.send({ text: "World" }).settled;
  if (!first.ok || !second.ok) throw new Error("not sent");
  expect(second.value).toMatchObject({ number: 2, duplicate: false });
  await sees(ben, id, ["Hello", "World"]);
  expect(await conversation.edit(first.value.messageId, "Good morning")).toMatchObject({
    ok: true,
  });
  expect(await conversation.remove(second.value.messageId)).toEqual({ ok: true, value: undefined });
  await sees(ben, id, ["Good morning", ""]);
  await sees(ann, id, ["Good morning", ""]);
});

test("what was sent and received without a line arrives once it is back", async () => {
  const [ann, ben] = [await behindProxy(), await someone()];
  const id = await together(ann, ben);
  ann.proxy.close();
  const sent = [1, 2, 3].map((n) => ann.client.conversation(id).send(`offline ${n}`));
  await ben.client.conversation(id).send("in between").settled;
  expect(sent.map(({ status }) => status.get())).not.toContain("sent");
  ann.proxy.open();
  ann.client.reconnect();
  for (const each of sent) expect(await each.settled).toMatchObject({ ok: true });
  const texts = ["in between", "offline 1", "offline 2", "offline 3"];
  await Promise.all([sees(ann, id, texts), sees(ben, id, texts)]);
});

test("a line that is cut between send and ack loses and repeats nothing", async () => {
  const [ann, ben] = [await behindProxy(), await someone()];
  const id = await together(ann, ben);
  const texts = Array.from({ length: 5 }, (_, n) => `cut ${n}`);
  for (const text of texts) {
    const sent = ann.client.conversation(id).send(text);
    await until(sent.status, (status) => status !== "queued");
    ann.proxy.cut();
    expect(await sent.settled).toMatchObject({ ok: true });
  }
  await Promise.all([sees(ann, id, texts), sees(ben, id, texts)]);
  expect(ben.client.conversation(id).timeline.window.get().lastNumber).toBe(5);
});

test("a silent line is found by a ping when the page wakes", async () => {
  const [ann, ben] = [await behindProxy(), await someone()];
  const id = await together(ann, ben);
  ann.proxy.silence();
  const sent = ann.client.conversation(id).send("into the void");
  ann.client.reconnect();
  expect(await sent.settled).toMatchObject({ ok: true });
  await sees(ben, id, ["into the void"]);
});

test("a gap of more than a resume is read again, with edits", async () => {
  const ben = await someone();
  const ann = await behindProxy();
  const id = await together(ann, ben);
  const first = await ann.client.conversation(id).send("first").settled;
  if (!first.ok) throw new Error("not sent");
  ann.proxy.close();
  const many = Array.from({ length: 310 }, (_, n) => ben.client.conversation(id).send(`m${n}`));
  await Promise.all(many.map(({ settled }) => settled));
  ann.proxy.open();
  ann.client.reconnect();
  await until(ann.client.conversation(id).timeline.window, (window) => window.lastNumber === 311);
  const { timeline } = ann.client.conversation(id);
  await timeline.latest();
  await sees(ann, id, ["m307", "m308", "m309"]);
  while (!timeline.window.get().atStart) await timeline.earlier();
  expect(timeline.window.get().rows.some(({ kind }) => kind === "hole")).toBe(false);
});

test("the queue survives the program", async () => {
  const [ann, ben] = [await behindProxy(), await someone()];
  const id = await together(ann, ben);
  ann.proxy.close();
  ann.client.conversation(id).send("before the end");
  await ann.client.stop();
  ann.proxy.open();
  const again = await restarted(ann);
  await until(again.outbox.items, (items) => items.length === 0);
  await sees(ben, id, ["before the end"]);
});

async function restarted({ storage, proxy: line }: Person & { proxy: Proxy }): Promise<Client> {
  const baseUrl = line.url;
  const client = createClient({
    baseUrl,
    storage,
    WebSocket,
    tokens: passwordTokens({ baseUrl, storage }),
  });
  client.start();
  opened.push(client);
  await until(client.state, ({ name }) => name === "live");
  return client;
}

test("a refresh whose answer is lost ends no login", async () => {
  let lose = false;
  const storage = memoryStorage();
  const losing: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (lose && String(input).includes("/token/refresh/")) {
      lose = false;
      throw new TypeError("fetch failed");
    }
    return response;
  };
  const ann = await someone({ fetch: losing, storage });
  lose = true;
  const token = await ann.tokens.get({ reason: "expired", signal: new AbortController().signal });
  expect(lose).toBe(false);
  expect(token.access).not.toBe("");
  expect(ann.tokens.user.get()?.id).toBe(ann.id);
  expect(await ann.client.conversations.refresh()).toMatchObject({ ok: true });
});

test("a logout ends the client, and a removed member is refused", async () => {
  const [ann, ben, cem] = [await someone(), await someone(), await someone()];
  const id = await together(ann, ben, cem);
  const refused = new Promise<number>((resolve) => {
    cem.client.on("refused", ({ code }) => resolve(code));
  });
  expect(await ann.client.conversation(id).members.remove(cem.id)).toMatchObject({ ok: true });
  expect(await refused).toBe(4403);
  expect(cem.client.conversation(id).state.get()).toMatchObject({ name: "refused", code: 4403 });
  await ben.tokens.logout();
  await until(ben.client.state, ({ name }) => name === "signed-out");
  await live(ann, id);
});

test("a forged token ends the client, and not the queue", async () => {
  const tokens = { get: async () => ({ access: "garbage" }) };
  const client = createClient({ baseUrl: URL_OF_SERVER, tokens, WebSocket });
  opened.push(client);
  client.conversation(1).send("kept");
  client.start();
  expect(await until(client.state, ({ name }) => name === "signed-out")).toMatchObject({
    code: "token_invalid",
  });
  expect(client.outbox.items.get()).toHaveLength(1);
});

// A server whose tokens expire within seconds.
const shortTokens = process.env["COLLOQUY_SHORT_TOKEN_URL"];
test.runIf(shortTokens)("a token is renewed on the open socket, without a gap", async () => {
  let refreshes = 0;
  let second!: () => void;
  const refreshedTwice = new Promise<void>((resolve) => (second = resolve));
  const counting: typeof fetch = (input, init) => {
    if (String(input).includes("/token/refresh/") && ++refreshes === 2) second();
    return fetch(input, init);
  };
  const baseUrl = shortTokens ?? "";
  const [ann, ben] = [await someone({ baseUrl, fetch: counting }), await someone({ baseUrl })];
  const id = await together(ann, ben);
  const states: string[] = [];
  ann.client.conversation(id).state.subscribe(({ name }) => states.push(name));
  await refreshedTwice;
  await ben.client.conversation(id).send("after").settled;
  await sees(ann, id, ["after"]);
  expect(states).toEqual(["live"]);
});

test("a conversation that does not exist is refused with 4404", async () => {
  const ann = await someone();
  const conversation = ann.client.conversation(999_999_999);
  conversation.hold();
  expect(await until(conversation.state, ({ name }) => name === "refused")).toMatchObject({
    code: 4404,
  });
});
