// The login that "try it" uses. It lives as long as the page: nothing is stored, and leaving the page forgets it.
import {
  createConversation,
  login,
  refresh,
  register,
  rest,
  type ChatError,
  type Result,
} from "@colloquy/sdk/rest";

interface Login {
  readonly username: string;
  readonly access: string;
  readonly refresh: string;
  /** When the access token should be replaced, in milliseconds of this browser's clock. */
  readonly renewAt: number;
}

/** Accounts and a conversation made to try things with. */
export interface Playground {
  readonly conversation: number;
  /** The other member. */
  readonly otherUser: number;
}

/** Access tokens live 15 minutes unless the server is set otherwise; then a 401 says so. */
const RENEW_AFTER_MS = 10 * 60_000;

const http = (token?: string) => rest({ baseUrl: location.origin, ...(token && { token }) });

class TrySession {
  #login = $state.raw<Login | null>(null);
  playground = $state.raw<Playground | null>(null);
  /** The last message sent, for operations on a message. */
  lastMessage = $state.raw<number | null>(null);

  get username(): string | null {
    return this.#login?.username ?? null;
  }

  async logIn(username: string, password: string): Promise<ChatError | null> {
    const answer = await login(http(), { username, password });
    if (!answer.ok) return answer.error;
    this.keep(answer.value);
    return null;
  }

  /** Uses the answer of a login. */
  keep(answer: { access: string; refresh: string; user: { username: string } }): void {
    const { access, refresh: renewal, user } = answer;
    const renewAt = Date.now() + RENEW_AFTER_MS;
    this.#login = { username: user.username, access, refresh: renewal, renewAt };
  }

  forget(): void {
    this.#login = null;
    this.playground = null;
    this.lastMessage = null;
  }

  /** A valid access token, or none without a login. */
  async access(): Promise<string | null> {
    const current = this.#login;
    if (!current) return null;
    if (Date.now() < current.renewAt) return current.access;
    const answer = await refresh(http(), current.refresh);
    if (!answer.ok) return current.access;
    this.#login = { ...current, ...answer.value, renewAt: Date.now() + RENEW_AFTER_MS };
    return answer.value.access;
  }

  /** Registers two accounts of random names, logs the first in, and starts a conversation of both. */
  async createPlayground(): Promise<ChatError | null> {
    const name = `try-${random(4)}`;
    const password = random(12);
    const other = await registered(`${name}-b`, password);
    if (!other.ok) return other.error;
    const own = await registered(`${name}-a`, password);
    if (!own.ok) return own.error;
    const refused = await this.logIn(`${name}-a`, password);
    if (refused) return refused;
    const conversation = await createConversation(http(this.#login?.access), {
      participants: [other.value.id],
      name: "Try it",
    });
    if (!conversation.ok) return conversation.error;
    this.playground = { conversation: conversation.value.id, otherUser: other.value.id };
    return null;
  }
}

const registered = (username: string, password: string): Promise<Result<{ id: number }>> =>
  register(http(), { username, email: `${username}@example.com`, password });

/** That many random bytes in hexadecimal digits. */
function random(bytes: number): string {
  const values = crypto.getRandomValues(new Uint8Array(bytes));
  return [...values].map((value) => value.toString(16).padStart(2, "0")).join("");
}

export const session = new TrySession();
