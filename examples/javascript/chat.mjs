// Sends, repeats a send safely, reconnects and resumes, without dependencies.
//
// Run with `node --experimental-websocket chat.mjs` (Node 20.10 or newer). The class Conversation
// also works in a browser.

const BASE_URL = process.env.BASE_URL ?? "http://127.0.0.1:8000";
const PASSWORD = "Violet Umbrellas 42";

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function api(method, path, { token, body } = {}) {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const init = { method, headers, body: body && JSON.stringify(body) };
  const response = await fetch(`${BASE_URL}/api${path}`, init);
  const json = await response.json();
  const { ok, status } = response;
  if (!ok) throw Object.assign(new Error(`${method} ${path}: ${status} ${JSON.stringify(json)}`), { status });
  return json;
}

async function register(username) {
  const email = `${username}@mail.example`;
  const fields = { username, email, password: PASSWORD, first_name: "", last_name: "" };
  await api("POST", "/users/register/", { body: fields });
  return api("POST", "/users/login/", { body: { username, password: PASSWORD } });
}

/** The next pair of tokens. Without a response the same request is safe to repeat for 45 seconds. */
async function refresh({ refresh }) {
  const deadline = Date.now() + 45_000;
  for (let pause = 250; ; pause *= 2) {
    try {
      return await api("POST", "/users/token/refresh/", { body: { refresh } });
    } catch (error) {
      if (error.status < 500 || Date.now() > deadline) throw error;
      await sleep(pause);
    }
  }
}

/** A v2 client of one conversation. `onEvent` receives every event once and in order. */
class Conversation {
  seq = null; // The newest event received.
  epoch = null;
  pending = new Map(); // Sends without an answer, by client_message_id.
  failures = 0;
  closed = false;

  constructor(id, token, onEvent) {
    Object.assign(this, { id, token, onEvent });
    this.connect();
  }

  connect() {
    const url = `${BASE_URL.replace(/^http/, "ws")}/ws/chat/${this.id}/`;
    // Browsers cannot set headers, so the token is a subprotocol.
    const socket = new WebSocket(url, ["chat.v2", `bearer.${this.token}`]);
    this.socket = socket;
    this.ready = false;
    socket.addEventListener("message", ({ data }) => this.receive(JSON.parse(data)));
    socket.addEventListener("error", () => {}); // A close event follows.
    socket.addEventListener("close", ({ code, reason }) => {
      clearInterval(this.heartbeat);
      // 4200 asks for a new token; 10xx of the protocol and 44xx but 4409 forbid a reconnect. See
      // docs/protocol.md, "Close codes".
      const isFinal = code === 1002 || code === 1007 || (code >= 4400 && code < 4500 && code !== 4409);
      if (this.closed || code === 4200 || isFinal) return;
      const pause = Math.min(5000, 150 * 2 ** this.failures++) * (0.25 + 1.5 * Math.random());
      const after = Number(/after_ms=(\d+)/.exec(reason)?.[1] ?? 0); // With 4100 and 4101.
      setTimeout(() => this.closed || this.connect(), after + pause);
    });
  }

  write(frame) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
  }

  resume() {
    this.resuming = true;
    this.write({ type: "resume", since: this.seq, epoch: this.epoch });
  }

  receive(frame) {
    switch (frame.type) {
      case "hello": {
        const missed = this.seq !== null && (this.seq !== frame.seq || this.epoch !== frame.epoch);
        this.seq ??= frame.seq;
        this.epoch ??= frame.epoch;
        this.ready = true;
        this.resuming = false;
        this.heartbeat = setInterval(() => this.write({ type: "ping" }), frame.heartbeat_s * 1000);
        // No answer is not a failure: repeat every send under its id.
        for (const id of this.pending.keys()) this.transmit(id);
        if (missed) this.resume();
        else this.failures = 0;
        break;
      }
      case "ack":
        this.settle(frame.client_message_id, (send) => send.resolve(frame));
        break;
      case "error": {
        const id = frame.client_message_id;
        if (!id) this.socket.close(); // The resume failed: reconnect later.
        else if (frame.retryable) setTimeout(() => this.transmit(id), frame.retry_after_ms ?? 250);
        else this.settle(id, (send) => send.reject(new Error(frame.error)));
        break;
      }
      case "sync":
        this.resuming = false;
        this.failures = 0;
        break;
      case "reset": // Too much was missed: load the history over REST, then continue from here.
        this.resuming = false;
        this.seq = frame.seq;
        this.epoch = frame.epoch;
        this.onEvent({ type: "reset" });
        break;
      case "batch":
        frame.events.forEach((event) => this.event(event));
        break;
      default:
        if (frame.seq !== undefined) this.event(frame);
    }
  }

  event(event) {
    if (event.seq <= this.seq) return; // Received before.
    if (event.seq > this.seq + 1) {
      // A gap. Without a resume in flight, ask for the missing events.
      if (!this.resuming) this.resume();
      return;
    }
    this.seq = event.seq;
    this.onEvent(event);
  }

  /** Resolves with the ack when the message is stored. Safe to call again with the same id. */
  send(message, id = crypto.randomUUID()) {
    return new Promise((resolve, reject) => {
      this.pending.set(id, { message, resolve, reject });
      this.transmit(id);
    });
  }

  transmit(id) {
    const send = this.pending.get(id);
    if (!send) return;
    clearTimeout(send.timer);
    if (this.ready) this.write({ type: "send", client_message_id: id, message: send.message });
    send.timer = setTimeout(() => this.transmit(id), 3000);
  }

  settle(id, answer) {
    const send = this.pending.get(id);
    if (!send) return;
    clearTimeout(send.timer);
    this.pending.delete(id);
    answer(send);
  }

  close() {
    this.closed = true;
    clearInterval(this.heartbeat);
    this.socket.close();
  }
}

const suffix = crypto.randomUUID().slice(0, 8);
const alice = await register(`alice-${suffix}`);
const bob = await register(`bob-${suffix}`);
const participants = [bob.user.id];
const { id } = await api("POST", "/chat/conversations/", { token: alice.access, body: { participants } });

const tabs = await Promise.all([refresh(alice), refresh(alice)]); // As two tabs of one login do.
console.log(`two refreshes at once returned one pair: ${tabs[0].refresh === tabs[1].refresh}`);

const received = [];
const receiver = new Conversation(id, bob.access, (event) => {
  received.push(event.message);
  console.log(`bob received ${event.seq}: ${event.message}`);
});
const sender = new Conversation(id, tabs[0].access, () => {});
while (!receiver.ready) await sleep(20);

const key = crypto.randomUUID();
const first = await sender.send("Hello, Bob!", key);
const repeat = await sender.send("Hello, Bob!", key);
console.log(`stored as ${first.message_id}, repeated as ${repeat.message_id}, duplicate ${repeat.duplicate}`);

receiver.socket.close(); // The connection is lost.
await sender.send("Are you there?");
await sender.send("See you later!");
while (received.length < 3) await sleep(20);
console.log(`bob is at ${receiver.seq}`);
sender.close();
receiver.close();
