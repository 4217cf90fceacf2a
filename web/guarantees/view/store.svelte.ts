// What the components show: snapshots of the demonstration, at most one in a few frames, however much
// happens. The demonstration itself does not know Svelte.
import type { HoleRow, MessageRow, TimelineRow } from "@colloquy/sdk";

import { Demonstration } from "../demonstration.ts";
import type { ExperimentName } from "../experiments/experiments.ts";
import { Runner, type Outcome, type PlanRun } from "../experiments/runner.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Digests, Verdict } from "../ledger/watch.ts";
import type { LineState } from "../line/line.ts";
import type { LogEntry } from "../log/entries.ts";
import type { Account } from "../people/accounts.ts";
import type { Phone } from "../phone/phone.ts";
import type { PhoneStatus } from "../phone/status.ts";

const FRAME_MS = 50;
/** Rows of a phone that are drawn. All of them are compared. */
const DRAWN_ROWS = 40;

export type DrawnRow =
  | MessageRow
  | HoleRow
  | {
      readonly kind: "member";
      readonly key: string;
      readonly name: string;
      readonly change: "joined" | "left";
    }
  | {
      readonly kind: "echo";
      readonly key: string;
      readonly text: string;
      readonly state: "queued" | "sending" | "failed";
    };

export interface PhoneView {
  readonly phone: Phone;
  readonly name: string;
  readonly userId: number;
  readonly username: string;
  readonly status: PhoneStatus;
  readonly line: LineState | "slow";
  readonly rows: readonly DrawnRow[];
  /** Rows above those that are drawn. */
  readonly earlier: number;
  readonly waiting: number;
}

export interface Snapshot {
  readonly phones: readonly PhoneView[];
  readonly ledger: Ledger;
  readonly digests: Digests;
  readonly verdict: Verdict;
  readonly entries: readonly LogEntry[];
  readonly logged: number;
  readonly running: ExperimentName | "plan" | null;
  readonly progress: string;
  readonly outcomes: ReadonlyMap<ExperimentName, Outcome>;
  readonly plan: PlanRun | null;
  readonly throttleMs: number;
}

export class Store {
  readonly demonstration: Demonstration;
  readonly runner: Runner;
  #snapshot = $state.raw<Snapshot | null>(null);
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    this.demonstration = new Demonstration(() => this.#changed());
    this.runner = new Runner(this.demonstration, () => this.#changed());
  }

  /** `null` until both phones are logged in. */
  get snapshot(): Snapshot | null {
    return this.#snapshot;
  }

  async start(accounts: readonly [Account, Account] | null): Promise<void> {
    await this.demonstration.start(accounts);
    this.#snapshot = this.#take();
    // Times such as "next try in 3 s" pass without an event.
    setInterval(() => this.#changed(), 1_000);
  }

  #changed(): void {
    if (!this.#snapshot) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#snapshot = this.#take();
    }, FRAME_MS);
  }

  #take(): Snapshot {
    const { demonstration, runner } = this;
    const { ledger, digests, verdict } = demonstration.ledger;
    const { running, progress, outcomes, plan } = runner;
    return {
      phones: demonstration.phones.map((phone) => view(phone, demonstration.phones)),
      ledger,
      digests,
      verdict,
      entries: demonstration.log.entries,
      logged: demonstration.log.count,
      running,
      progress,
      outcomes: new Map(outcomes),
      plan,
      throttleMs: demonstration.throttleMs,
    };
  }
}

function view(phone: Phone, phones: readonly Phone[]): PhoneView {
  const { name, user, status, line, rows, waiting } = phone;
  return {
    phone,
    name,
    userId: user?.id ?? 0,
    username: user?.username ?? "",
    status,
    line: line.state === "open" && line.delayMs > 0 ? "slow" : line.state,
    rows: rows.slice(-DRAWN_ROWS).map((row) => drawn(row, phones)),
    earlier: Math.max(0, rows.length - DRAWN_ROWS),
    waiting,
  };
}

/** A message on its way changes without a new row: what is drawn is copied. */
function drawn(row: TimelineRow, phones: readonly Phone[]): DrawnRow {
  if (row.kind === "member") {
    const { user_id, username, change } = row.event;
    const phone = phones.find(({ user }) => user?.id === user_id);
    return { kind: "member", key: row.key, name: phone?.name ?? username, change };
  }
  if (row.kind !== "echo") return row;
  const status = row.outgoing.status.get();
  const state = status === "sent" ? "sending" : status;
  return { kind: "echo", key: row.key, text: row.outgoing.text, state };
}
