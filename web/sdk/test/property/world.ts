/**
 * One seeded run: three tabs of two people, a random plan of sends, edits, faults, closes, token
 * ends, reloads and time, then quiet; then everything that was promised is checked.
 *
 * Knows nothing of the test runner, so that mutated sources can be run through it.
 */
import type { Message, Outgoing } from "../../src/index.js";
import { memoryStorage } from "../../src/storage/memory.js";
import { Random } from "../support/random.js";
import { PASSWORD, TabLocks, World, type Device } from "../support/world.js";

const QUIET_MS = 20 * 60_000;
/** Close codes after which a client reconnects by itself. */
const CODES = [1001, 1006, 1011, 1012, 1013, 4000, 4001, 4002, 4077, 4100, 4101, 4190, 4200, 4299];
const EVENTS = /"type":"(message|member|batch)/;
const STORM_MS = 60_000;
/** Attempts of two tabs in a storm: the backoff allows eleven each, and waking adds some. */
const STORM_ATTEMPTS = 45;

interface Tab {
  name: string;
  device: Device;
  browser: { storage: Device["storage"]; locks: TabLocks };
}

interface SentItem {
  id: string;
  text: string;
  outgoing: Outgoing;
  /** How often it was reported as stored. */
  settled: number;
}

export async function runSeed(seed: number): Promise<void> {
  const run = new Run(seed);
  await run.open();
  const steps = 12 + run.random.below(14);
  for (let step = 0; step < steps; step++) await run.step();
  await run.quiet();
  await run.check();
}

class Run {
  readonly random: Random;
  readonly world: World;
  readonly room: number;
  readonly tabs: Tab[] = [];
  readonly sent: SentItem[] = [];
  #storming = false;
  /** Sockets of one login that a storm has seen. */
  #mostAttempts = 0;

  constructor(readonly seed: number) {
    this.random = new Random(seed);
    this.world = new World({
      throttleMs: this.random.chance(0.3) ? 300 : 0,
      resumeEvents: this.random.pick([5, 20, 300]),
      accessSeconds: this.random.pick([90, 200, 900]),
    });
    this.room = this.world.room("ann", "ben");
    // More than one page of a window, so that reading back reads from the server.
    if (this.random.chance(0.3)) this.#history(70);
  }

  async open(): Promise<void> {
    const shared = { storage: memoryStorage(), locks: new TabLocks() };
    // Without shared locks both tabs may send the same item.
    const other = { ...shared, locks: this.random.chance(0.3) ? new TabLocks() : shared.locks };
    const ben = { storage: memoryStorage(), locks: new TabLocks() };
    for (const [name, browser] of [
      ["ann", shared],
      ["ann", other],
      ["ben", ben],
    ] as const) {
      this.tabs.push({ name, browser, device: await this.#start(name, browser) });
    }
    await this.world.clock.advance(this.random.below(500));
  }

  async step(): Promise<void> {
    const tab = this.random.pick(this.tabs);
    const { network } = tab.device;
    const actions: (() => void | Promise<void>)[] = [
      () => this.#send(tab),
      () => this.#send(tab),
      () => this.#send(tab),
      () => this.#edit(tab),
      () => this.#edit(tab),
      () => this.#sendAndEdit(tab),
      () => this.#browse(tab),
      () => network.drop(this.random.pick(CODES)),
      () => this.world.server.close(this.random.pick(CODES), "after_ms=3000"),
      () => network.silence(),
      () => void (network.down = !network.down),
      () => this.#faults(tab),
      () => this.#faults(tab),
      () => this.#failWrites(),
      () => this.world.server.restart(this.random.chance(0.4) ? `epoch-${this.seed}` : undefined),
      () => this.#reload(tab),
      () => tab.device.environment.setVisible(!tab.device.environment.visible()),
      () => tab.device.client.reconnect(),
      () => this.world.clock.sleep(this.random.pick([8_000, 70_000])),
      () => this.#startStorm(),
    ];
    await this.random.pick(actions)();
    await this.world.clock.advance(this.random.pick([0, 3, 40, 900, 4_000, 30_000]));
  }

  /** Ends every fault and waits until nothing is left to do. */
  async quiet(): Promise<void> {
    const { server, clock } = this.world;
    server.failWrites = () => null;
    server.onAccept = () => {};
    for (const { device } of this.tabs) {
      device.network.down = false;
      device.network.fate = () => "pass";
      device.network.requestFate = () => "pass";
      device.environment.setVisible(true);
      device.client.reconnect();
    }
    const signedOut = (): Tab | undefined =>
      this.tabs.find(({ device }) => device.client.state.get().name === "signed-out");
    const done = (): boolean =>
      this.tabs.every(
        ({ device: { client } }) =>
          client.state.get().name === "live" && client.outbox.items.get().length === 0,
      );
    for (let logins = 0; logins < 10; logins++) {
      await clock
        .until(() => done() || signedOut() !== undefined, QUIET_MS)
        .catch(() => {
          throw this.#error(`not quiet: ${this.tabs.map(describe).join("; ")}`);
        });
      const tab = signedOut();
      if (tab) await this.#logIn(tab.name, tab.device);
    }
    // What another tab has sent may still be on its way here.
    await clock.advance(60_000);
  }

  async check(): Promise<void> {
    const { messages } = this.#room;
    if (this.#mostAttempts > STORM_ATTEMPTS) {
      throw this.#error(`${this.#mostAttempts} attempts in a storm`);
    }
    for (const { id, text, outgoing, settled } of this.sent) {
      const stored = messages.filter((each) => each.client_message_id === id);
      if (stored.length !== 1) throw this.#error(`${text} is stored ${stored.length} times`);
      if (settled > 1) throw this.#error(`${text} was settled ${settled} times`);
      const error = outgoing.error.get();
      if (error) throw this.#error(`${text} failed with ${error.code}`);
    }
    const count = messages.length;
    const known = this.sent.length + messages.filter(isHistory).length;
    if (count !== known) throw this.#error(`${count} messages stored of ${known} sent`);
    for (const tab of this.tabs) await this.#checkTimeline(tab, messages);
    await this.#checkStorage();
    for (const { device } of this.tabs) await device.client.stop();
    await this.world.clock.advance(5_000);
    const { pending } = this.world.clock;
    if (pending) throw this.#error(`${pending} timers are left`);
  }

  async #checkTimeline(tab: Tab, messages: readonly Message[]): Promise<void> {
    const { timeline } = tab.device.client.conversation(this.room);
    const read = async (act: () => Promise<unknown>): Promise<void> => {
      const acted = act();
      await this.world.clock.advance(2_000);
      await acted;
    };
    await read(() => timeline.latest());
    for (let page = 0; page < 10 && !timeline.window.get().atStart; page++) {
      await read(() => timeline.earlier());
    }
    const { rows } = timeline.window.get();
    const shown = rows
      .filter((row) => row.kind !== "member")
      .map((row) => (row.kind === "message" ? print(row.message) : row.kind));
    const expected = messages.map(print);
    if (shown.join() === expected.join()) return;
    const at = expected.findIndex((text, index) => text !== shown[index]);
    throw this.#error(`${tab.name} shows ${shown[at]} where ${expected[at]} is stored`);
  }

  async #checkStorage(): Promise<void> {
    for (const { browser } of this.tabs) {
      const left = await browser.storage.list("user/");
      const unsent = left.filter(([key]) => key.includes("/outbox/"));
      if (unsent.length) throw this.#error(`${unsent.length} items are left in storage`);
    }
  }

  async #start(name: string, browser: Tab["browser"]): Promise<Device> {
    const device = await this.world.device(name, {
      ...browser,
      client: { random: this.random.next },
    });
    device.network.latency = () => 1 + this.random.below(60);
    device.client.start();
    device.client.conversation(this.room).hold();
    return device;
  }

  /** A refresh that stayed unanswered beyond the grace of the server ends the login. */
  async #logIn(name: string, { tokens, client }: Device): Promise<void> {
    const login = tokens.login(name, PASSWORD);
    await this.world.clock.advance(1_000);
    await login;
    client.start();
  }

  #send(tab: Tab): void {
    for (let more = 1 + this.random.below(4); more > 0; more--) {
      const text = `m${this.sent.length}`;
      const outgoing = tab.device.client.conversation(this.room).send(text);
      const item: SentItem = { id: outgoing.clientMessageId, text, outgoing, settled: 0 };
      void outgoing.settled.then(({ ok }) => (item.settled += ok ? 1 : 0));
      this.sent.push(item);
    }
  }

  /** Changes or deletes an own message, straight at the server or through the SDK. */
  #edit(tab: Tab): void {
    const own = this.#room.messages.filter(
      (message) => message.sender_id === tab.device.userId && message.content !== "",
    );
    if (own.length === 0) return;
    const { id, version } = this.random.pick(own);
    const conversation = tab.device.client.conversation(this.room);
    if (this.random.chance(0.2)) void conversation.remove(id);
    else void conversation.edit(id, `e${id}.${version}`);
  }

  /** Corrects a message as soon as it is stored: copies of the first text may still arrive. */
  #sendAndEdit(tab: Tab): void {
    this.#send(tab);
    void this.sent.at(-1)?.outgoing.settled.then((sent) => {
      const conversation = tab.device.client.conversation(this.room);
      if (sent.ok) void conversation.edit(sent.value.messageId, `c${sent.value.messageId}`);
    });
  }

  #browse(tab: Tab): void {
    const { timeline } = tab.device.client.conversation(this.room);
    const last = timeline.window.get().lastNumber;
    const moves = [
      () => timeline.earlier(),
      () => timeline.later(),
      () => timeline.latest(),
      () => timeline.around(1 + this.random.below(Math.max(1, last))),
    ];
    void this.random.pick(moves)();
  }

  #faults({ device: { network } }: Tab): void {
    const [lose, repeat, request] = [0, 0, 0].map(() => this.random.pick([0, 0.1, 0.4]));
    network.fate = (_, text) => {
      if (this.random.chance(lose ?? 0)) {
        // A line that loses an event delivers nothing after it, as TCP does. Answers may be lost
        // alone: no client can rely on them.
        if (EVENTS.test(text)) network.silence();
        return "lose";
      }
      return this.random.chance(repeat ?? 0) ? "duplicate" : "pass";
    };
    network.requestFate = () =>
      this.random.chance(request ?? 0) ? this.random.pick(["lose request", "lose answer"]) : "pass";
  }

  #failWrites(): void {
    const code = this.random.pick([null, "unavailable", "overloaded", "internal"] as const);
    this.world.server.failWrites = () => code;
  }

  /** Kills the tab as a crash does, and opens it again with what storage has. */
  async #reload(tab: Tab): Promise<void> {
    tab.device.kill();
    tab.device = await this.#start(tab.name, tab.browser);
  }

  /** A server that accepts every socket and closes it: the backoff must hold. */
  #startStorm(): void {
    if (this.#storming) return;
    this.#storming = true;
    const { server, clock } = this.world;
    const accepted = new Map<number, number>();
    server.onAccept = (connection) => {
      const { id } = connection.session;
      accepted.set(id, (accepted.get(id) ?? 0) + 1);
      connection.close(4000, "restarting");
    };
    server.close(4000);
    clock.after(STORM_MS, () => {
      server.onAccept = () => {};
      this.#storming = false;
      this.#mostAttempts = Math.max(this.#mostAttempts, ...accepted.values());
    });
  }

  #history(count: number): void {
    const { server } = this.world;
    const userId = this.world.userId("ben");
    for (let n = 0; n < count; n++) {
      const send = { userId, id: `history-${n}`, text: `h${n}`, replyTo: null, mentions: [] };
      server.database.append(this.#room, send, 0);
    }
  }

  get #room() {
    return this.world.server.database.room(this.room, this.world.userId("ann"));
  }

  #error(text: string): Error {
    return new Error(`seed ${this.seed}: ${text}`);
  }
}

const isHistory = (message: Message): boolean =>
  message.client_message_id?.startsWith("history-") ?? false;

const print = ({ number, id, version, content }: Message): string =>
  `${number}:${id}:${version}:${content}`;

const describe = ({ name, device: { client } }: Tab): string =>
  `${name} ${JSON.stringify(client.diagnostics())}`;
