import { expect, test } from "vitest";
import { texts, World } from "../support/world.js";

test("two people chat", async () => {
  const world = new World();
  const room = world.room("ann", "ben");
  const ann = await world.live("ann", room);
  const ben = await world.live("ben", room);
  const sent = ann.client.conversation(room).send("Hello");
  await world.clock.advance(100);
  expect(await sent.settled).toMatchObject({ ok: true, value: { number: 1, duplicate: false } });
  expect(texts(ben, room)).toEqual(["Hello"]);
  expect(texts(ann, room)).toEqual(["Hello"]);
  expect(ann.client.state.get()).toEqual({ name: "live" });
  await ann.client.stop();
  await ben.client.stop();
  await world.clock.advance(1);
  expect(ann.client.state.get()).toEqual({ name: "stopped" });
});
