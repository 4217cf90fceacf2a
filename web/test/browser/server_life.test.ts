// The client where tokens live for seconds, and where registration is closed: each with a server of its own.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { enterChat, openChat } from "./chat_harness.ts";
import {
  createAccount,
  createConversation,
  launch,
  newLogin,
  openPage,
  post,
  sendMessage,
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

describe.skipIf(!BINARY)("with a server of its own", () => {
  test.concurrent(
    "a token that ends is replaced on the open socket, and nothing is missing",
    ({ expect }) =>
      // Announced as soon as it is used, renewed every five seconds.
      withServer({ ...NO_THROTTLE, ACCESS_TOKEN_SECONDS: "10" }, async (server) => {
        const { ann, bob, id } = await pair(server);
        const watched = await openPage(browser, { baseURL: server.url });
        let sockets = 0;
        let renewals = 0;
        watched.page.on("websocket", (socket) => {
          sockets++;
          socket.on("framesent", ({ payload }) => {
            if (String(payload).includes('"type":"auth"')) renewals++;
          });
        });
        const a = await enterChat(watched, ann, id);
        await a.write("with the first token");
        await expect.poll(() => renewals, { timeout: 30_000 }).toBeGreaterThanOrEqual(2);
        await a.write("with a later one");
        await sendMessage(
          { ...bob, access: await newLogin(bob.username, server.url) },
          id,
          "from Bob",
          server.url,
        );
        await a.row("from Bob").waitFor();
        await expect.poll(() => a.state("with a later one")).toBe("Sent");
        expect(sockets).toBe(1);
        expect(a.problems).toEqual([]);
        await a.close();
      }),
  );

  test.concurrent(
    "a page whose token has ended while it slept connects with a new one",
    ({ expect }) =>
      withServer({ ...NO_THROTTLE, ACCESS_TOKEN_SECONDS: "10" }, async (server) => {
        const { ann, id } = await pair(server);
        const a = await openChat(browser, ann, id, { baseURL: server.url });
        await a.page.context().setOffline(true);
        await a.write("written while the token ended");
        // The server closes the socket with 4200 at the end of the token; the page cannot see it yet.
        await expect.poll(() => serverKnows(server, ann.access), { timeout: 30_000 }).toBe(false);
        await a.page.context().setOffline(false);
        await expect.poll(() => a.state("written while the token ended")).toBe("Sent");
        expect(await a.texts()).toEqual(["written while the token ended"]);
        await a.close();
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
      await expect(post("/api/users/register/", {}, "", server.url)).rejects.toThrow(/403|400/);
      expect(problems).toEqual([]);
      await close();
    }));
});

/** Whether the server still accepts an access token. */
async function serverKnows({ url }: OwnServer, access: string): Promise<boolean> {
  const answer = await fetch(`${url}/api/users/profile/`, {
    headers: { authorization: `Bearer ${access}` },
  });
  return answer.ok;
}
