/** Conversations and logins that the server refuses. */
import { equal, succeeded, until } from "../check.js";
import type { Cases } from "../suite.js";
import { live, sees, together } from "../world.js";

export const refusals: Cases = {
  "a removed member is refused with 4403, and admitted when added again": async (world) => {
    const [ann, ben] = [await world.person(), await world.person()];
    const id = await together(ann, ben, await world.person());
    const conversation = ben.client.conversation(id);
    const refused = new Promise<number>((resolve) => {
      ben.client.on("refused", ({ code }) => resolve(code));
    });
    const { members } = ann.client.conversation(id);
    succeeded(await members.remove(ben.id), "the removal");
    equal(await refused, 4403, "the code of the event");
    equal(conversation.state.get(), { name: "refused", code: 4403, retryAt: null }, "the state");
    succeeded(await members.add(ben.id), "the addition");
    await live(ben.client, id);
    succeeded(await conversation.send("back").settled, "the send");
    await sees(ann.client, id, ["back"]);
  },

  "a conversation that does not exist is refused with 4404": async (world) => {
    const ann = await world.person();
    const conversation = ann.client.conversation(999_999_999);
    conversation.hold();
    const state = await until(conversation.state, ({ name }) => name === "refused");
    equal(state, { name: "refused", code: 4404, retryAt: null }, "the state");
  },

  "a forged token ends the client, and not the queue": async (world) => {
    const client = world.device({ get: async () => ({ access: "garbage" }) });
    client.conversation(1).send("kept");
    const state = await until(client.state, ({ name }) => name === "signed-out");
    equal(state, { name: "signed-out", code: "token_invalid" }, "the state");
    equal(client.outbox.items.get().length, 1, "the number of items");
  },
};
