// Opens WebSockets with a client of the world outside, and says how each ends.
//
//   node closes.mjs '[{"name": "…", "url": "ws://…", "protocols": […], "then": "binary"}]'
//
// Writes a line of JSON when a socket opens and when it closes; `then` is what the client does
// once it is open: send a `binary` frame, one too `large`, a `flood` of nonsense, or nothing.

import WebSocket from "ws";

const say = (what) => console.log(JSON.stringify(what));

const deeds = {
  binary: (socket) => socket.send(Buffer.from([1, 2, 3])),
  large: (socket) => socket.send("x".repeat(64 * 1024 + 1)),
  flood: (socket) => {
    for (let turn = 0; turn < 200; turn++) socket.send('{"type":"dance"}');
  },
};

for (const { name, url, protocols, then } of JSON.parse(process.argv[2])) {
  const socket = new WebSocket(url, protocols ?? []);
  socket.on("open", () => {
    say({ name, event: "open" });
    deeds[then]?.(socket);
  });
  socket.on("error", (error) => say({ name, event: "error", reason: error.message }));
  socket.on("close", (code, reason) => say({ name, event: "close", code, reason: String(reason) }));
}
