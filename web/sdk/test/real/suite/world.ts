/** People and their devices on a real server, in the runtime that runs the case. */
import {
  createClient,
  passwordTokens,
  type ChatStorage,
  type Client,
  type ClientOptions,
  type PasswordTokens,
  type TokenProvider,
  type WebSocketFactory,
} from "../../../src/index.js";
import { login, rest, type LoginResponse } from "../../../src/rest.js";
import { succeeded, until } from "./check.js";
import { line, server, type Line } from "./stage_client.js";

/** What the test process says to a runtime. */
export interface Addresses {
  server: string;
  /** A server whose tokens expire within seconds; `null`: there is none. */
  shortTokens: string | null;
  stage: string;
}

/** What a runtime brings along. */
export interface Platform {
  /** Where the runtime has none of its own. */
  WebSocket?: WebSocketFactory;
  /** The best storage the runtime has. The same name opens the same one. */
  storage(name: string): ChatStorage;
}

export interface Person {
  readonly client: Client;
  readonly tokens: PasswordTokens;
  readonly id: number;
  readonly username: string;
}

const PASSWORD = "correct-horse-battery";

export class World {
  readonly #ends: (() => unknown)[] = [];

  constructor(
    readonly addresses: Addresses,
    readonly platform: Platform,
  ) {}

  /** Stops every client and every proxy. */
  async end(): Promise<void> {
    await Promise.all(this.#ends.splice(0).map((end) => end()));
  }

  /** A new account, logged in and started. */
  async person(options: Partial<ClientOptions> = {}): Promise<Person> {
    const baseUrl = options.baseUrl ?? this.addresses.server;
    const username = `sdk-${randomName()}`;
    const storage = options.storage ?? this.platform.storage(username);
    const fetching = options.fetch ? { fetch: options.fetch } : {};
    const tokens = passwordTokens({ baseUrl, storage, ...fetching });
    const account = { username, email: `${username}@example.com`, password: PASSWORD };
    const { id } = succeeded(await tokens.register(account), "registration");
    succeeded(await tokens.login(username, PASSWORD), "login");
    const client = this.client({ ...options, baseUrl, tokens, storage });
    return { client, tokens, id, username };
  }

  /** A person whose connections pass a proxy. */
  async behindLine(): Promise<Person & { line: Line }> {
    const opened = await line(this.addresses.stage);
    this.#ends.push(() => opened.end());
    return { ...(await this.person({ baseUrl: opened.url })), line: opened };
  }

  /** A started client. */
  client(options: ClientOptions): Client {
    const { WebSocket } = this.platform;
    const client = createClient({ ...(WebSocket ? { WebSocket } : {}), ...options });
    this.#ends.push(() => client.stop());
    client.start();
    return client;
  }

  /** The same person after the program was started again, with the same storage. */
  async restarted({ username, line: { url } }: Person & { line: Line }): Promise<Client> {
    const storage = this.platform.storage(username);
    const tokens = passwordTokens({ baseUrl: url, storage });
    const client = this.client({ baseUrl: url, storage, tokens });
    await until(client.state, ({ name }) => name === "live");
    return client;
  }

  /** Another login of a person, with tokens as the server gave them. */
  async session(person: Person, baseUrl = this.addresses.server): Promise<LoginResponse> {
    const { username } = person;
    return succeeded(await login(rest({ baseUrl }), { username, password: PASSWORD }), "login");
  }

  /** A client with tokens of its own. */
  device(tokens: TokenProvider, baseUrl = this.addresses.server): Client {
    return this.client({ baseUrl, tokens });
  }

  kill(): Promise<void> {
    return server(this.addresses.stage, "kill");
  }

  restart(): Promise<void> {
    return server(this.addresses.stage, "restart");
  }
}

/** A conversation held by its creator and the others, live on all. */
export async function together(creator: Person, ...others: Person[]): Promise<number> {
  const participants = others.map(({ id }) => id);
  const { id } = succeeded(await creator.client.createConversation({ participants }), "creation");
  await Promise.all([creator, ...others].map(({ client }) => live(client, id)));
  return id;
}

export async function live(client: Client, id: number): Promise<void> {
  const conversation = client.conversation(id);
  conversation.hold();
  await until(conversation.state, ({ name }) => name === "live");
}

/** Resolves when a client shows these texts at the end of the conversation, and no others after. */
export async function sees(client: Client, id: number, texts: readonly string[]): Promise<void> {
  const wanted = JSON.stringify(texts);
  await until(client.conversation(id).timeline.window, ({ rows }) => {
    const shown = rows.flatMap((row) => (row.kind === "message" ? [row.message.content] : []));
    return JSON.stringify(shown.slice(-texts.length)) === wanted;
  });
}

function randomName(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
