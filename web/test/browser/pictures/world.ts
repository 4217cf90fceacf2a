// Makes the people and conversations of the script on a server of their own.
import { PASSWORD } from "../harness.ts";
import { HUT, ME, PEOPLE, TALKS, type Line, type Name, type Talk } from "./script.ts";

interface Login {
  readonly id: number;
  readonly access: string;
}

export class World {
  readonly #logins = new Map<Name, Login>();

  private constructor(readonly url: string) {}

  /** Returns the id of the conversation that the pictures open. */
  static async make(url: string): Promise<number> {
    const world = new World(url);
    for (const name of Object.keys(PEOPLE) as Name[]) await world.#register(name);
    // The newest activity is first in the list.
    for (const talk of TALKS.toReversed()) await world.#hold(talk);
    return world.#hold(HUT);
  }

  async #register(name: Name): Promise<void> {
    const { first, last, username } = PEOPLE[name];
    const account = { username, password: PASSWORD, email: `${username}@example.com` };
    const body = { ...account, first_name: first, last_name: last };
    const { id } = await this.#request<{ id: number }>("POST", "/api/users/register/", body);
    const login = await this.#request<{ access: string }>("POST", "/api/users/login/", account);
    this.#logins.set(name, { id, access: login.access });
  }

  async #hold({ name, members, lines }: Talk): Promise<number> {
    const participants = members.map((member) => this.#login(member).id);
    const body = { participants, ...(name && { name }) };
    const path = "/api/chat/conversations/";
    const { id } = await this.#request<{ id: number }>("POST", path, body, ME);
    const ids = new Map<string, number>();
    for (const line of lines) ids.set(line.text, await this.#say(id, line, ids));
    return id;
  }

  async #say(
    conversation: number,
    line: Line,
    earlier: ReadonlyMap<string, number>,
  ): Promise<number> {
    const { by, text, before, to, mentions } = line;
    const path = `/api/chat/conversations/${conversation}/messages/`;
    const body = {
      message: before ?? text,
      ...(to && { reply_to: earlier.get(to) }),
      ...(mentions && { mentions: [this.#login(mentions).id] }),
    };
    const { id } = await this.#request<{ id: number }>("POST", path, body, by);
    if (before) await this.#request("PATCH", `${path}${id}/`, { message: text }, by);
    return id;
  }

  #login(name: Name): Login {
    const login = this.#logins.get(name);
    if (!login) throw new Error(`${name} is not registered`);
    return login;
  }

  async #request<T>(method: string, path: string, body: object, by?: Name): Promise<T> {
    const headers = {
      "content-type": "application/json",
      ...(by && { authorization: `Bearer ${this.#login(by).access}` }),
    };
    const request = { method, headers, body: JSON.stringify(body) };
    const response = await fetch(this.url + path, request);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }
}
