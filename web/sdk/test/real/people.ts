/** People and devices on a real server. */
import { randomBytes } from "node:crypto";
import { WebSocket } from "ws";
import {
  createClient,
  memoryStorage,
  passwordTokens,
  type ChatStorage,
  type Client,
  type ClientOptions,
  type PasswordTokens,
  type Readable,
} from "../../src/index.js";

export const URL_OF_SERVER = process.env["COLLOQUY_URL"] ?? "";
if (!URL_OF_SERVER) throw new Error("COLLOQUY_URL names the server, such as http://127.0.0.1:8000");

const PASSWORD = "correct-horse-battery";

export interface Person {
  client: Client;
  tokens: PasswordTokens;
  storage: ChatStorage;
  id: number;
  username: string;
}

/** A new account, logged in and started. */
export async function person(options: Partial<ClientOptions> = {}): Promise<Person> {
  const username = `sdk-${randomBytes(6).toString("hex")}`;
  const baseUrl = options.baseUrl ?? URL_OF_SERVER;
  const storage = options.storage ?? memoryStorage();
  const tokens = passwordTokens({
    baseUrl,
    storage,
    ...(options.fetch ? { fetch: options.fetch } : {}),
  });
  const email = `${username}@example.com`;
  const made = await tokens.register({ username, email, password: PASSWORD });
  if (!made.ok) throw new Error(JSON.stringify(made.error));
  const login = await tokens.login(username, PASSWORD);
  if (!login.ok) throw new Error(JSON.stringify(login.error));
  const client = createClient({ baseUrl, tokens, storage, WebSocket, ...options });
  client.start();
  return { client, tokens, storage, id: made.value.id, username };
}

/** Resolves when the value satisfies `done`. */
export function until<T>(readable: Readable<T>, done: (value: T) => boolean): Promise<T> {
  return new Promise((resolve) => {
    let stop: (() => void) | null = null;
    let found = false;
    stop = readable.subscribe((value) => {
      if (found || !done(value)) return;
      found = true;
      stop?.();
      resolve(value);
    });
    if (found) stop();
  });
}

/** A conversation held by its creator and the others, live on all. */
export async function together(creator: Person, ...others: Person[]): Promise<number> {
  const participants = others.map(({ id }) => id);
  const made = await creator.client.createConversation({ participants });
  if (!made.ok) throw new Error(JSON.stringify(made.error));
  await Promise.all([creator, ...others].map((each) => live(each, made.value.id)));
  return made.value.id;
}

export async function live(each: Person, id: number): Promise<void> {
  const conversation = each.client.conversation(id);
  conversation.hold();
  await until(conversation.state, ({ name }) => name === "live");
}

/** Resolves when a person sees these texts at the end of the conversation. */
export async function sees(each: Person, id: number, texts: readonly string[]): Promise<void> {
  await until(each.client.conversation(id).timeline.window, ({ rows }) => {
    const shown = rows.flatMap((row) => (row.kind === "message" ? [row.message.content] : []));
    return JSON.stringify(shown.slice(-texts.length)) === JSON.stringify(texts);
  });
}
