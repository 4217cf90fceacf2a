/** A clock of the platform that is set back must not stretch a wait. */
import { expect, test } from "vitest";
import { texts, World } from "../support/world.js";

const HOUR = 3_600_000;

test("the pace of a throttle", async () => {
  const world = new World({ throttleMs: 1_000 });
  const room = world.room("ann", "ben");
  const ann = await world.live("ann", room);
  const conversation = ann.client.conversation(room);
  const { lastSendAt } = world.server.database.room(room, ann.userId);
  // Server and network have the clock of the client here; their own would be right.
  const setBack = (): void => {
    world.clock.jump(-HOUR);
    lastSendAt.clear();
    ann.network.drop();
  };
  conversation.send("a");
  conversation.send("b");
  await world.clock.advance(100);
  setBack();
  await world.clock.advance(3_000);
  expect(texts(ann, room)).toEqual(["a", "b"]);
  setBack();
  conversation.send("c");
  await world.clock.advance(3_000);
  expect(texts(ann, room)).toEqual(["a", "b", "c"]);
});

test("the next attempt to connect", async () => {
  const world = new World();
  const room = world.room("ann", "ben");
  const ann = await world.live("ann", room);
  ann.network.down = true;
  ann.network.drop();
  await world.clock.advance(20_000);
  ann.network.down = false;
  world.clock.jump(-HOUR);
  ann.client.reconnect();
  await world.clock.advance(3_000);
  expect(ann.client.state.get().name).toBe("live");
});
