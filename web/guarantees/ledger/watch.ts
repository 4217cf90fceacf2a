// Keeps the ledger current: reads the history while things move, reads all of it again when nothing is on
// its way any more, and then gives the verdict.
import { digestOf } from "./digest.ts";
import {
  compare,
  isBroken,
  isEqual,
  type Accepted,
  type Ledger,
  type PhoneReport,
  type Row,
} from "./ledger.ts";

/** Between two reads while something is on its way. */
const MOVING_MS = 700;
const SETTLED_MS = 120;
/** A phone may be a moment behind an acknowledgement. What differs for longer is a difference. */
const GRACE = { times: 14, ms: 300 } as const;

export interface LedgerSource {
  accepted(): readonly Accepted[];
  readonly originals: ReadonlyMap<number, string>;
  reports(): readonly PhoneReport[];
  readonly history: {
    readonly rows: readonly Row[];
    readAll(): Promise<boolean>;
    readNew(): Promise<boolean>;
  };
}

export type Verdict =
  /** Something is on its way, or a phone is not connected. */
  | "moving"
  /** Nothing is on its way, and the comparison is not done. */
  | "checking"
  | "equal"
  | "different";

export interface Digests {
  readonly server: string | null;
  readonly phones: readonly { readonly name: string; readonly digest: string | null }[];
}

export class LedgerWatch {
  ledger: Ledger;
  digests: Digests = { server: null, phones: [] };
  verdict: Verdict = "moving";
  #revision = 0;
  #judged = -1;
  #running = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #differences = 0;

  constructor(
    readonly source: LedgerSource,
    readonly published: () => void,
  ) {
    this.ledger = compare(this.#input());
  }

  /** Something that is counted may have changed. */
  changed(): void {
    this.#revision++;
    this.#differences = 0;
    if (this.verdict === "equal") this.verdict = "checking";
    this.#schedule();
  }

  /** Whether the verdict is about everything up to now. */
  get final(): boolean {
    const known = this.verdict === "equal" || this.verdict === "different";
    return known && this.#judged === this.#revision;
  }

  stop(): void {
    this.#revision = -1;
    clearTimeout(this.#timer);
  }

  #schedule(ms = this.#quiet() ? SETTLED_MS : MOVING_MS): void {
    if (this.#running || this.#revision < 0) return;
    // The first change decides, so that a stream of them does not put it off without end.
    this.#timer ??= setTimeout(() => void this.#run(), ms);
  }

  async #run(): Promise<void> {
    this.#timer = undefined;
    this.#running = true;
    const revision = this.#revision;
    const quiet = this.#quiet();
    const { history } = this.source;
    const answered = await (quiet ? history.readAll() : history.readNew());
    this.#running = false;
    if (this.#revision < 0) return;
    await this.#judge(revision, quiet && answered);
    this.published();
    if (revision !== this.#revision || this.verdict === "checking") this.#schedule();
    else if (!answered) this.#schedule(MOVING_MS);
  }

  async #judge(revision: number, settled: boolean): Promise<void> {
    const input = this.#input();
    this.ledger = compare(input);
    this.digests = {
      server: await digestOf(input.stored),
      phones: await Promise.all(
        input.phones.map(async ({ name, rows }) => ({ name, digest: await digestOf(rows) })),
      ),
    };
    if (isBroken(this.ledger)) this.#decide(revision, "different");
    else if (!settled || revision !== this.#revision) {
      this.verdict = this.#quiet() ? "checking" : "moving";
    } else if (isEqual(this.ledger)) this.#decide(revision, "equal");
    else await this.#differs(revision);
  }

  async #differs(revision: number): Promise<void> {
    this.#differences++;
    if (this.#differences > GRACE.times) return this.#decide(revision, "different");
    this.verdict = "checking";
    await new Promise((resolve) => setTimeout(resolve, GRACE.ms));
  }

  #decide(revision: number, verdict: "equal" | "different"): void {
    this.verdict = verdict;
    this.#judged = revision;
  }

  #quiet(): boolean {
    return (
      this.source.accepted().every(({ state }) => state !== "waiting") &&
      this.source.reports().every(({ complete, removedAt }) => complete || removedAt !== null)
    );
  }

  #input() {
    const { originals, history } = this.source;
    return {
      accepted: this.source.accepted(),
      originals,
      stored: history.rows,
      phones: this.source.reports(),
    };
  }
}
