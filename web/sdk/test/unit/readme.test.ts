/** The examples of the documents run as they are printed, against a server in memory. */
import "fake-indexeddb/auto";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createClient, type Client } from "../../src/index.js";
import { systemClock } from "../../src/platform/clock.js";
import { FakeServer } from "../../src/testing.js";

const baseUrl = "https://chat.example.com";
const password = "correct horse";
let server: FakeServer;
let printed: string[];
let clients: Client[];

beforeEach(() => {
  server = new FakeServer({ clock: systemClock });
  const ann = server.database.addUser("ann", password);
  const ben = server.database.addUser("ben", password);
  server.database.addRoom(ann.id, [ben.id], "Team");
  const network = server.network();
  vi.stubGlobal("fetch", network.fetch);
  vi.stubGlobal("WebSocket", network.WebSocket);
  printed = [];
  vi.spyOn(console, "log").mockImplementation((...parts) => void printed.push(parts.join(" ")));
  clients = [];
});

afterEach(async () => {
  await Promise.all(clients.map((client) => client.stop()));
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

const messages = () => [...server.database.rooms.values()].flatMap((room) => room.messages);

test("Start", async () => {
  // @ts-expect-error: the module is made of the README.
  await import("readme:Start");
  expect(printed).toContain("sending Hello");
  expect(printed).toContain("ann Hello");
  expect(printed.at(-1)).toBe("message 1");
  expect(server.connections).toHaveLength(0);
});

test("Writing a client", async () => {
  const john = server.database.addUser("johndoe", "StrongPass123!");
  server.database.rooms.clear();
  server.database.addRoom(john.id, [1], "Pair");
  vi.stubGlobal("given", { baseUrl });
  // @ts-expect-error: the module is made of the client guide.
  await import("clients:Writing-a-client|baseUrl");
  expect(printed.at(-1)).toBe("stored as 1");
});

test("What you get", async () => {
  const access = server.open(2).access;
  const client = createClient({ baseUrl, tokens: { get: async () => ({ access }) } });
  clients.push(client);
  client.start();
  const conversation = client.conversation(1);
  const sent = await conversation.send("Hello").settled;
  if (!sent.ok) throw new Error(sent.error.code);
  vi.stubGlobal("given", { conversation, messageId: sent.value.messageId });
  // @ts-expect-error: the module is made of the README.
  await import("readme:What-you-get|conversation,messageId");
  expect(messages()[0]?.content).toBe("Good morning");
});

test("Bots and scripts", async () => {
  vi.stubGlobal("given", { baseUrl });
  // @ts-expect-error: the module is made of the README.
  await import("readme:Bots-and-scripts|baseUrl");
  expect(messages()).toMatchObject([{ content: "Hello", client_message_id: "report-2026-11-29" }]);
});

test("Tokens of your own", async () => {
  const asked: string[] = [];
  const made = (options: Parameters<typeof createClient>[0]): Client => {
    const client = createClient(options);
    clients.push(client);
    return client;
  };
  const fetchAccessToken = async (reason: string): Promise<string> => {
    asked.push(reason);
    return server.open(1).access;
  };
  vi.stubGlobal("given", { baseUrl, createClient: made, fetchAccessToken });
  // @ts-expect-error: the module is made of the README.
  await import("readme:Tokens-of-your-own|baseUrl,createClient,fetchAccessToken");
  clients[0]?.start();
  await vi.waitFor(() => expect(clients[0]?.state.get().name).toBe("live"));
  expect(asked).toEqual(["start"]);
});

test("Tests without a network", async () => {
  // @ts-expect-error: the module is made of the README.
  await import("readme:Tests-without-a-network");
});
