// What every browser suite needs: Chromium, pages that report what must never happen (errors on the console,
// violations of the policy, requests to other hosts), and accounts.
//
// COLLOQUY_URL names a running server; CHROMIUM the browser, by default Debian's.
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";

import { keepIfFailed } from "./kept.ts";

export const SERVER = process.env["COLLOQUY_URL"] ?? "http://127.0.0.1:8000";
const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

export const launch = (...more: string[]): Promise<Browser> =>
  chromium.launch({
    executablePath: CHROMIUM,
    // A container has neither a sandbox of its own nor much shared memory.
    args: ["--no-sandbox", "--disable-dev-shm-usage", ...more],
  });

/** For a test that runs on every host, and not on the embedded one alone. */
export const EVERY_HOST = { tags: ["every-host"] };

/** A page, and what has gone wrong on it so far. */
export interface Watched {
  readonly page: Page;
  readonly problems: string[];
  close(): Promise<void>;
}

/** Opens a page in a context of its own: another context is another person's browser. */
export async function openPage(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<Watched> {
  const server = options.baseURL ?? SERVER;
  const context = await browser.newContext({ locale: "en-US", ...options, baseURL: server });
  keepIfFailed(context);
  const page = await context.newPage();
  const problems: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" && !isRefusal(message.text())) problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(error.stack ?? error.message));
  page.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol.startsWith("http") && origin !== server) problems.push(`request to ${origin}`);
  });
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
      console.error(`policy violation: ${violatedDirective} ${blockedURI}`),
    );
  });
  return { page, problems, close: () => context.close() };
}

/** Chromium writes every refused request to the console; a wrong password is no error of the page. */
const isRefusal = (text: string): boolean =>
  /^Failed to load resource: the server responded with a status of 4\d\d/.test(text);

let nextName = 0;

/** A username no one has yet. */
export const freshName = (prefix = "user"): string =>
  `${prefix}-${Date.now().toString(36)}-${process.pid}-${nextName++}`;

export const PASSWORD = "correct-horse-9";

export interface Account {
  readonly id: number;
  readonly username: string;
  readonly access: string;
}

/** An account made over REST, logged in. */
export async function createAccount(
  prefix?: string,
  names: { first?: string; last?: string } = {},
  server = SERVER,
): Promise<Account> {
  const username = freshName(prefix);
  const registration = {
    username,
    email: `${username}@example.com`,
    password: PASSWORD,
    first_name: names.first ?? "",
    last_name: names.last ?? "",
  };
  const user = await post<{ id: number }>("/api/users/register/", registration, "", server);
  return { id: user.id, username, access: await newLogin(username, server) };
}

/** Logs in over REST: another session of the same user. Returns its access token. */
export async function newLogin(username: string, server = SERVER): Promise<string> {
  const credentials = { username, password: PASSWORD };
  return (await post<{ access: string }>("/api/users/login/", credentials, "", server)).access;
}

export async function post<T>(
  path: string,
  body: unknown,
  access = "",
  server = SERVER,
): Promise<T> {
  const response = await fetch(server + path, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(access && { authorization: `Bearer ${access}` }),
    },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

export const createConversation = (
  by: Account,
  participants: readonly number[],
  name?: string,
  server = SERVER,
): Promise<{ id: number }> =>
  post("/api/chat/conversations/", { participants, ...(name && { name }) }, by.access, server);

export const sendMessage = (
  by: Account,
  conversationId: number,
  message: string,
  server = SERVER,
): Promise<unknown> =>
  post(`/api/chat/conversations/${conversationId}/messages/`, { message }, by.access, server);

/** Logs in by the form, as a person would. */
export async function logIn(page: Page, username: string, hash = "#/login"): Promise<void> {
  await page.goto(`/${hash}`);
  await page.getByLabel("Username", { exact: true }).fill(username);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("navigation", { name: "Conversations" }).waitFor({ state: "attached" });
}
