// Plans: a seed becomes a list of steps. Pure, so that the same seed is the same plan for everybody.
//
// A plan knows which faults it has made, so that it does not remove a removed member. What the
// network and the server make of the steps is not planned.
import { Random } from "./random.ts";

/** The index of a phone. */
export type PhoneIndex = 0 | 1;

export type StepKind =
  | "say"
  | "silence"
  | "disconnect"
  | "restore"
  | "delay"
  | "lose-ack"
  | "same-id"
  | "edit"
  | "delete"
  | "renew"
  | "skip"
  | "end-session"
  | "remove"
  | "add";

export interface Step {
  readonly kind: StepKind;
  readonly phone: PhoneIndex;
  /** How many messages, or how many milliseconds. */
  readonly amount: number;
  /** Milliseconds before the next step. */
  readonly pauseMs: number;
}

export const PLAN_STEPS = 15;

/** What a plan has done to a phone so far. */
interface Model {
  line: "open" | "broken";
  signedIn: boolean;
  member: boolean;
}

/** How often each kind is drawn. Messages are what everything else is about. */
const WEIGHTS: readonly (readonly [StepKind, number])[] = [
  ["say", 10],
  ["silence", 3],
  ["disconnect", 3],
  ["restore", 4],
  ["delay", 2],
  ["lose-ack", 3],
  ["same-id", 2],
  ["edit", 3],
  ["delete", 2],
  ["renew", 1],
  ["skip", 2],
  ["end-session", 1],
  ["remove", 1],
  ["add", 1],
];

export function makePlan(seed: number, length = PLAN_STEPS): Step[] {
  const random = new Random(seed);
  const models: [Model, Model] = [newModel(), newModel()];
  const steps: Step[] = [];
  while (steps.length < length) {
    const phone = random.pick<PhoneIndex>([0, 1]);
    const kind = draw(random, (candidate) => possible(candidate, phone, models[phone]));
    apply(kind, models[phone]);
    steps.push({
      kind,
      phone,
      amount: amountOf(kind, random),
      pauseMs: random.between(50, 400),
    });
  }
  return steps;
}

const newModel = (): Model => ({ line: "open", signedIn: true, member: true });

/** Only the second phone's user is removed: the first has made the group and adds them again. */
function possible(kind: StepKind, phone: PhoneIndex, model: Model): boolean {
  const working = model.line === "open" && model.signedIn && model.member;
  switch (kind) {
    case "say":
    case "skip":
      return model.member;
    case "restore":
      return model.line === "broken" || !model.signedIn;
    case "end-session":
      return working && phone === 1;
    case "remove":
      return phone === 1 && model.member;
    case "add":
      return phone === 1 && !model.member;
    default:
      return working;
  }
}

function apply(kind: StepKind, model: Model): void {
  if (kind === "silence" || kind === "disconnect" || kind === "delay") model.line = "broken";
  if (kind === "restore") Object.assign(model, { line: "open", signedIn: true });
  if (kind === "end-session") model.signedIn = false;
  if (kind === "remove") model.member = false;
  if (kind === "add") model.member = true;
}

function amountOf(kind: StepKind, random: Random): number {
  if (kind === "say") return random.between(1, 3);
  if (kind === "delay") return random.between(100, 900);
  if (kind === "skip") return random.between(1, 60) * 1000;
  return 1;
}

function draw(random: Random, allowed: (kind: StepKind) => boolean): StepKind {
  const candidates = WEIGHTS.filter(([kind]) => allowed(kind));
  const total = candidates.reduce((sum, [, weight]) => sum + weight, 0);
  let at = random.next() * total;
  for (const [kind, weight] of candidates) {
    at -= weight;
    if (at < 0) return kind;
  }
  return "say";
}
