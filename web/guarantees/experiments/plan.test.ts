import { expect, test } from "vitest";

import { makePlan, PLAN_STEPS, type Step } from "./plan.ts";
import { seedOf, seedText } from "./random.ts";

const SEEDS = Array.from({ length: 500 }, (_, seed) => seed * 7919);

test("a seed names one plan, and other seeds name others", () => {
  expect(makePlan(42)).toEqual(makePlan(42));
  expect(new Set(SEEDS.map((seed) => JSON.stringify(makePlan(seed)))).size).toBe(SEEDS.length);
});

test("a plan has its steps, and all kinds occur", () => {
  const kinds = new Set<string>();
  for (const seed of SEEDS) {
    const plan = makePlan(seed);
    expect(plan).toHaveLength(PLAN_STEPS);
    for (const { kind } of plan) kinds.add(kind);
  }
  expect(kinds.size).toBe(14);
});

test("no plan adds a member, removes a removed member, or breaks a broken line", () => {
  for (const seed of SEEDS) {
    for (const phone of [0, 1] as const) {
      expect(misplaced(makePlan(seed).filter((step) => step.phone === phone))).toEqual([]);
    }
  }
});

test("the maker of the group is never removed and keeps the login", () => {
  const first = SEEDS.flatMap((seed) => makePlan(seed)).filter(({ phone }) => phone === 0);
  expect(first.some(({ kind }) => ["remove", "end-session"].includes(kind))).toBe(false);
});

/** Steps that make no sense after those before them. */
function misplaced(steps: readonly Step[]): string[] {
  const wrong: string[] = [];
  let [member, usable] = [true, true];
  for (const { kind } of steps) {
    const breaks = ["silence", "disconnect", "delay", "end-session"].includes(kind);
    if (kind === "add" && member) wrong.push(kind);
    if (kind === "remove" && !member) wrong.push(kind);
    if (breaks && (!usable || !member)) wrong.push(kind);
    if (kind === "restore" && usable) wrong.push(kind);
    if (breaks) usable = false;
    if (kind === "restore") usable = true;
    if (kind === "remove" || kind === "add") member = kind === "add";
  }
  return wrong;
}

test("an address names a seed", () => {
  expect(seedOf("#/seed/1f3a9c02")).toBe(0x1f3a9c02);
  expect(seedOf(`#/seed/${seedText(7)}`)).toBe(7);
  for (const other of ["", "#/", "#/seed/", "#/seed/xyz", "#/seed/123456789"]) {
    expect(seedOf(other)).toBeNull();
  }
});
