// Runs one experiment or plan at a time, repairs what it broke, and waits for the verdict of the ledger.
import type { Demonstration } from "../demonstration.ts";
import { i18n } from "../i18n/index.ts";
import { Refused } from "../result.ts";
import { EXPERIMENTS, type ExperimentName } from "./experiments.ts";
import { makePlan, type Step } from "./plan.ts";
import { runStep } from "./steps.ts";

const SETTLE_MS = 90_000;

export interface Outcome {
  /** What was seen. */
  readonly text: string;
  readonly verdict: "equal" | "different" | "moving";
}

export interface PlanRun {
  readonly seed: number;
  readonly steps: readonly Step[];
  /** How many steps were made. */
  readonly done: number;
  readonly outcome: Outcome | null;
}

export class Runner {
  /** The experiment that runs; `plan` for a plan. */
  running: ExperimentName | "plan" | null = null;
  progress = "";
  plan: PlanRun | null = null;
  readonly outcomes = new Map<ExperimentName, Outcome>();
  #abort = new AbortController();

  constructor(
    readonly demonstration: Demonstration,
    readonly changed: () => void,
  ) {}

  async run(name: ExperimentName): Promise<void> {
    if (this.running) return;
    this.outcomes.delete(name);
    this.#begin(name);
    const { demonstration, signal } = {
      demonstration: this.demonstration,
      signal: this.#abort.signal,
    };
    const progress = (text: string): void => this.#tell(text);
    const run = EXPERIMENTS[name];
    try {
      this.outcomes.set(name, await this.#finish(() => run({ demonstration, progress, signal })));
    } finally {
      this.#end();
    }
  }

  async shuffle(seed: number): Promise<void> {
    if (this.running) return;
    this.#begin("plan");
    const steps = makePlan(seed);
    this.plan = { seed, steps, done: 0, outcome: null };
    try {
      const outcome = await this.#finish(() => this.#walk(seed, steps));
      this.plan = { ...this.plan, outcome };
    } finally {
      this.#end();
    }
  }

  async #walk(seed: number, steps: readonly Step[]): Promise<string> {
    for (const [at, step] of steps.entries()) {
      this.plan = { seed, steps, done: at, outcome: null };
      this.changed();
      await runStep(this.demonstration, step);
    }
    this.plan = { seed, steps, done: steps.length, outcome: null };
    return i18n.t.outcome.plan(steps.length);
  }

  /** Ends an experiment that waits for a person. */
  abort(): void {
    this.#abort.abort();
  }

  async #finish(run: () => Promise<string>): Promise<Outcome> {
    const text = await run().catch(reason);
    this.#tell(i18n.t.progress.settling);
    const repaired = await this.demonstration.mendAll().then(() => null, reason);
    const { throttleMs, phones } = this.demonstration;
    const queue = Math.max(...phones.map(({ waiting }) => waiting));
    const verdict = await this.demonstration.settle(SETTLE_MS + 2 * queue * throttleMs);
    return { text: repaired ?? text, verdict };
  }

  #begin(name: ExperimentName | "plan"): void {
    this.running = name;
    this.#abort = new AbortController();
    this.#tell("");
  }

  #end(): void {
    this.running = null;
    this.#tell("");
  }

  #tell(text: string): void {
    this.progress = text;
    this.changed();
  }
}

/** What went wrong, as a sentence. What the server refused is no bug of this page. */
function reason(error: unknown): string {
  if (error instanceof Refused) return i18n.t.outcome.refused(error.message);
  throw error;
}
