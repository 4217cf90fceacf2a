// Opens WebSockets with an independent client and reports how each one is closed.
//
//   node close_codes.mjs '[{"name": "…", "url": "ws://…", "protocols": […], "then": "binary"}]'
//
// Writes a line of JSON when a socket opens and when it closes. `then` is what the client does
// after opening: send a `binary` frame, a `large` frame, a `flood` of invalid ones, or nothing.

import WebSocket from "ws";

const print = (what) => console.log(JSON.stringify(what));

const actions = {
  binary: (socket) => socket.send(Buffer.from([1, 2, 3])),
  large: (socket) => socket.send("x".repeat(64 * 1024 + 1)),
  flood: (socket) => {
    for (let frame = 0; frame < 200; frame++) socket.send('{"type":"dance"}');
  },
};

for (const { name, url, protocols, then } of JSON.parse(process.argv[2])) {
  const socket = new WebSocket(url, protocols ?? []);
  socket.on("open", () => {
    print({ name, event: "open" });
    actions[then]?.(socket);
  });
  socket.on("error", (error) => print({ name, event: "error", reason: error.message }));
  socket.on("close", (code, reason) => print({ name, event: "close", code, reason: String(reason) }));
}
