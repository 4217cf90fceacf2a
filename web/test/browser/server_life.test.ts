// The client where tokens live for seconds, and where registration is closed: each with a server of its own.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { enterChat } from "./chat_harness.ts";
import {
  createAccount,
  createConversation,
  launch,
  newLogin,
  openPage,
  sendMessage,
  type Watched,
} from "./harness.ts";
import { BINARY, OwnServer } from "./own_server.ts";

let browser: Browser;
beforeAll(async () => void (browser = await launch()));
afterAll(() => browser.close());

const NO_THROTTLE = { THROTTLE_RATE_SECONDS: "0" };

/** Runs a test with a server of its own, which is removed afterwards. */
async function withServer(
  settings: Record<string, string>,
  run: (server: OwnServer) => Promise<void>,
): Promise<void> {
  const server = await OwnServer.start(BINARY ?? "", settings);
  try {
    await run(server);
  } finally {
    await server.remove();
  }
}

async function pair({ url }: OwnServer) {
  const ann = await createAccount("ann", {}, url);
  const bob = await createAccount("bob", {}, url);
  const { id } = await createConversation(ann, [bob.id], "Team", url);
  return { ann, bob, id };
}

/** Lives long enough for a page to load on a busy machine, and is renewed every five seconds. */
const SHORT_TOKENS = { ...NO_THROTTLE, ACCESS_TOKEN_SECONDS: "20" };

/** Logs in and opens a conversation. `ended` resolves when the token of that login has ended. */
async function enterWithShortToken(watched: Watched, server: OwnServer) {
  const { ann, bob, id } = await pair(server);
  const login = watched.page.waitForResponse("**/api/users/login/");
  const chat = await enterChat(watched, ann, id);
  const { access } = (await (await login).json()) as { access: string };
  const ended = async () => {
    while (await accepts(server, access)) await new Promise((resolve) => setTimeout(resolve, 500));
  };
  return { chat, bob, id, ended };
}

async function accepts({ url }: OwnServer, access: string): Promise<boolean> {
  const headers = { authorization: `Bearer ${access}` };
  return (await fetch(`${url}/api/users/profile/`, { headers })).ok;
}

describe.skipIf(!BINARY)("with a server of its own", () => {
  test.concurrent(
    "a token that ends is replaced on the open socket, and nothing is missing",
    ({ expect }) =>
      withServer(SHORT_TOKENS, async (server) => {
        const watched = await openPage(browser, { baseURL: server.url });
        let sockets = 0;
        watched.page.on("websocket", () => sockets++);
        const { chat, bob, id, ended } = await enterWithShortToken(watched, server);
        await chat.write("with the first token");
        await ended();
        await chat.write("with a later one");
        const access = await newLogin(bob.username, server.url);
        await sendMessage({ ...bob, access }, id, "from Bob", server.url);
        await chat.row("from Bob").waitFor();
        await expect.poll(() => chat.state("with a later one")).toBe("Sent");
        expect(sockets).toBe(1);
        expect(chat.problems).toEqual([]);
        await chat.close();
      }),
  );

  test.concurrent(
    "a page whose token ended while it had no network connects with a new one",
    ({ expect }) =>
      withServer(SHORT_TOKENS, async (server) => {
        const watched = await openPage(browser, { baseURL: server.url });
        const { chat, ended } = await enterWithShortToken(watched, server);
        await watched.page.context().setOffline(true);
        // In time: what is written on the open socket now would still arrive with the old token.
        await watched.page.getByText("Not connected.").waitFor();
        await chat.write("written while the token ended");
        await ended();
        await watched.page.context().setOffline(false);
        await expect.poll(() => chat.state("written while the token ended")).toBe("Sent");
        expect(await chat.texts()).toEqual(["written while the token ended"]);
        await chat.close();
      }),
  );

  test("a server whose registration is closed offers no account, and shows the log-in", () =>
    withServer({ REGISTRATION: "closed" }, async (server) => {
      const { page, problems, close } = await openPage(browser, { baseURL: server.url });
      await page.goto("/");
      await page.getByText("This server accepts no new accounts.").waitFor();
      expect(await page.getByRole("link", { name: "Create an account" }).count()).toBe(0);
      await page.goto("/#/register");
      await page.getByRole("heading", { name: "Log in" }).waitFor();
      await expect(createAccount("late", {}, server.url)).rejects.toThrow(/403/);
      expect(problems).toEqual([]);
      await close();
    }));
});
