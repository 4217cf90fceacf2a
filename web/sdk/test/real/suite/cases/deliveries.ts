/** What is sent arrives once, and what changes is seen. */
import { equal, failed, succeeded } from "../check.js";
import type { Cases } from "../suite.js";
import { live, sees, together } from "../world.js";

export const deliveries: Cases = {
  "messages, edits and deletions reach the other person": async (world) => {
    const [ann, ben] = [await world.person(), await world.person()];
    const id = await together(ann, ben);
    const conversation = ann.client.conversation(id);
    const first = succeeded(await conversation.send("Hello").settled, "the first send");
    const second = succeeded(await conversation.send({ text: "World" }).settled, "the second");
    equal([second.number, second.duplicate], [2, false], "number and duplicate of the second");
    await sees(ben.client, id, ["Hello", "World"]);
    succeeded(await conversation.edit(first.messageId, "Good morning"), "the edit");
    succeeded(await conversation.remove(second.messageId), "the deletion");
    await sees(ben.client, id, ["Good morning", ""]);
    await sees(ann.client, id, ["Good morning", ""]);
  },

  "a message sent twice under one id is stored once": async (world) => {
    const [ann, ben] = [await world.person(), await world.person()];
    const id = await together(ann, ben);
    const message = { text: "once", clientMessageId: "report-7" };
    const first = succeeded(await ann.client.conversation(id).send(message).settled, "the first");
    const { access } = await world.session(ann);
    const other = world.device({ get: async () => ({ access }) });
    await live(other, id);
    const second = succeeded(await other.conversation(id).send(message).settled, "the second");
    equal([first.duplicate, second.duplicate], [false, true], "duplicate of both");
    equal(second.messageId, first.messageId, "the id of the second");
    await ben.client.conversation(id).send("after").settled;
    for (const client of [ann.client, other, ben.client]) await sees(client, id, ["once", "after"]);
  },

  "a message that the server refuses fails, and the next one is sent": async (world) => {
    const [ann, ben] = [await world.person(), await world.person()];
    const id = await together(ann, ben);
    const conversation = ann.client.conversation(id);
    const sent = [conversation.send("x".repeat(5_000)), conversation.send("short")] as const;
    failed(await sent[0].settled, "invalid", "a text beyond the limit");
    succeeded(await sent[1].settled, "the next send");
    await sees(ben.client, id, ["short"]);
    equal(ann.client.outbox.items.get().length, 1, "the number of items, of which one has failed");
  },
};
