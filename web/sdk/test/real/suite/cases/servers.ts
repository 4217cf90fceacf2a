/** Servers that end. */
import { equal, succeeded } from "../check.js";
import type { Cases } from "../suite.js";
import { sees, together, type Person, type World } from "../world.js";

const texts = Array.from({ length: 20 }, (_, n) => `message ${n}`);

/** Sends while the server ends, and checks that both people have everything once, in order. */
async function survives(world: World, end: () => Promise<void>): Promise<void> {
  const [ann, ben] = [await world.person(), await world.person()];
  const id = await together(ann, ben);
  const { send } = bound(ann, id);
  const early = texts.slice(0, 10).map(send);
  const ended = end();
  const late = texts.slice(10).map(send);
  await ended;
  for (const { settled } of [...early, ...late]) succeeded(await settled, "a send");
  await Promise.all([ann, ben].map(({ client }) => sees(client, id, texts)));
  const { lastNumber } = ben.client.conversation(id).timeline.window.get();
  equal(lastNumber, texts.length, "the last number");
}

const bound = ({ client }: Person, id: number) => {
  const conversation = client.conversation(id);
  return { send: (text: string) => conversation.send(text) };
};

export const servers: Cases = {
  "a server that is killed loses and repeats nothing": (world) =>
    survives(world, () => world.kill()),

  "a server that restarts loses and repeats nothing": (world) =>
    survives(world, () => world.restart()),
};
