import { expect, test, vi } from "vitest";

import { ConsoleSocket } from "./socket.svelte.ts";

test("the console sends an auth frame as it is, and shows it without its token", () => {
  const sent: string[] = [];
  class FakeSocket {
    send = (text: string) => void sent.push(text);
    close = () => undefined;
  }
  vi.stubGlobal("WebSocket", FakeSocket);
  vi.stubGlobal("location", { href: "http://localhost/docs/" });
  const socket = new ConsoleSocket([]);
  socket.open("/ws/chat/1/", "secret");
  const frame = '{"type":"auth","token":"secret"}';
  socket.send(frame);
  expect(sent).toEqual([frame]);
  expect(socket.lines.at(-1)).toMatchObject({
    kind: "sent",
    text: '{"type":"auth","token":"<token>"}',
  });
  expect(JSON.stringify(socket.lines)).not.toContain("secret");
});
