/** Connections that end, stay silent or do not come to be. */
import { check, equal, succeeded, until } from "../check.js";
import type { Cases } from "../suite.js";
import { sees, together } from "../world.js";

/** More than one `resume` delivers. */
const MANY = 310;

export const lines: Cases = {
  "what was sent and received offline arrives after the return": async (world) => {
    const [ann, ben] = [await world.behindLine(), await world.person()];
    const id = await together(ann, ben);
    await ann.line.close();
    const sent = [1, 2, 3].map((n) => ann.client.conversation(id).send(`offline ${n}`));
    await ben.client.conversation(id).send("in between").settled;
    check(!sent.some(({ status }) => status.get() === "sent"), "nothing sent while offline");
    await ann.line.open();
    ann.client.reconnect();
    for (const each of sent) succeeded(await each.settled, "a send after the return");
    const texts = ["in between", "offline 1", "offline 2", "offline 3"];
    await Promise.all([ann, ben].map(({ client }) => sees(client, id, texts)));
  },

  "a connection reset between send and ack loses and repeats nothing": async (world) => {
    const [ann, ben] = [await world.behindLine(), await world.person()];
    const id = await together(ann, ben);
    const texts = Array.from({ length: 5 }, (_, n) => `reset ${n}`);
    for (const text of texts) {
      const sent = ann.client.conversation(id).send(text);
      await until(sent.status, (status) => status !== "queued");
      await ann.line.cut();
      succeeded(await sent.settled, text);
    }
    await Promise.all([ann, ben].map(({ client }) => sees(client, id, texts)));
    equal(ben.client.conversation(id).timeline.window.get().lastNumber, 5, "the last number");
  },

  "a half-open connection is found by a ping": async (world) => {
    const [ann, ben] = [await world.behindLine(), await world.person()];
    const id = await together(ann, ben);
    await ann.line.silence();
    const sent = ann.client.conversation(id).send("half-open");
    ann.client.reconnect();
    succeeded(await sent.settled, "the send");
    await sees(ben.client, id, ["half-open"]);
  },

  "a gap of more than a resume is read again, without holes": async (world) => {
    const [ann, ben] = [await world.behindLine(), await world.person()];
    const id = await together(ann, ben);
    const { timeline } = ann.client.conversation(id);
    succeeded(await ann.client.conversation(id).send("first").settled, "the first send");
    await ann.line.close();
    const many = Array.from({ length: MANY }, (_, n) => ben.client.conversation(id).send(`m${n}`));
    for (const { settled } of many) succeeded(await settled, "a send");
    await ann.line.open();
    ann.client.reconnect();
    await until(timeline.window, (window) => window.lastNumber === MANY + 1);
    succeeded(await timeline.latest(), "reading the end");
    await sees(ann.client, id, ["m307", "m308", "m309"]);
    while (!timeline.window.get().atStart) succeeded(await timeline.earlier(), "reading back");
    const { rows } = timeline.window.get();
    check(!rows.some(({ kind }) => kind === "hole"), "no hole");
  },

  "the queue survives the program": async (world) => {
    const [ann, ben] = [await world.behindLine(), await world.person()];
    const id = await together(ann, ben);
    await ann.line.close();
    ann.client.conversation(id).send("before the end");
    await ann.client.stop();
    await ann.line.open();
    const again = await world.restarted(ann);
    await until(again.outbox.items, (items) => items.length === 0);
    await sees(ben.client, id, ["before the end"]);
  },
};
