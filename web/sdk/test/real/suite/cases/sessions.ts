/** Tokens and logins over their life. */
import { logout, rest } from "../../../../src/rest.js";
import { check, equal, succeeded, until } from "../check.js";
import type { Cases } from "../suite.js";
import { live, sees, together } from "../world.js";

export const sessions: Cases = {
  "a refresh whose answer is lost ends no login": async (world) => {
    let lose = false;
    const losing: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (!lose || !String(input).includes("/token/refresh/")) return response;
      lose = false;
      await response.text();
      throw new TypeError("fetch failed");
    };
    const ann = await world.person({ fetch: losing });
    lose = true;
    const token = await ann.tokens.get({ reason: "expired", signal: new AbortController().signal });
    check(!lose && token.access !== "", "a token after a lost answer");
    equal(ann.tokens.user.get()?.id, ann.id, "the user");
    succeeded(await ann.client.conversations.refresh(), "a request with the new token");
  },

  "a logout ends the client": async (world) => {
    const [ann, ben] = [await world.person(), await world.person()];
    const id = await together(ann, ben);
    await ben.tokens.logout();
    await until(ben.client.state, ({ name }) => name === "signed-out");
    await live(ann.client, id);
  },

  "a session that ends elsewhere closes the socket with 4401": async (world) => {
    const ann = await world.person();
    const id = await together(ann, await world.person());
    const { access, refresh } = await world.session(ann);
    const device = world.device({ get: async () => ({ access }) });
    await live(device, id);
    const http = rest({ baseUrl: world.addresses.server, token: access });
    succeeded(await logout(http, refresh), "the logout");
    const state = await until(device.state, ({ name }) => name === "signed-out");
    equal(state, { name: "signed-out", code: "session_revoked" }, "the state of the device");
    succeeded(await ann.client.conversation(id).send("still here").settled, "the other session");
  },
};

export const shortTokens: Cases = {
  "a token is renewed on the open socket, without a gap": async (world) => {
    let refreshes = 0;
    let second!: () => void;
    const refreshedTwice = new Promise<void>((resolve) => (second = resolve));
    const counting: typeof fetch = (input, init) => {
      if (String(input).includes("/token/refresh/") && ++refreshes === 2) second();
      return fetch(input, init);
    };
    const baseUrl = world.addresses.shortTokens ?? "";
    const ann = await world.person({ baseUrl, fetch: counting });
    const ben = await world.person({ baseUrl });
    const id = await together(ann, ben);
    const states: string[] = [];
    ann.client.conversation(id).state.subscribe(({ name }) => states.push(name));
    await refreshedTwice;
    await ben.client.conversation(id).send("after").settled;
    await sees(ann.client, id, ["after"]);
    equal(states, ["live"], "the states of the stream");
  },

  "a token that ends closes the socket with 4200, and a new one resumes": async (world) => {
    const baseUrl = world.addresses.shortTokens ?? "";
    const [ann, ben] = [await world.person({ baseUrl }), await world.person({ baseUrl })];
    const id = await together(ann, ben);
    const reasons: string[] = [];
    const device = world.device(
      {
        get: async ({ reason }) => {
          reasons.push(reason);
          if (reason === "expiring") throw new Error("not now");
          return { access: (await world.session(ann, baseUrl)).access };
        },
      },
      baseUrl,
    );
    await live(device, id);
    const { state } = device.conversation(id);
    await until(state, ({ name }) => name !== "live");
    await ben.client.conversation(id).send("during the pause").settled;
    await sees(device, id, ["during the pause"]);
    check(reasons.includes("expired"), `a request for a token that replaces an ended one`);
  },
};
