// Contrast of the tokens, by the formula of WCAG 2.2 (1.4.3 and 1.4.11), in both schemes.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const css = readFileSync(new URL("./tokens.css", import.meta.url), "utf8");

const pairs = new Map<string, readonly [light: string, dark: string]>();
for (const [, name, light, dark] of css.matchAll(
  /--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);/g,
)) {
  // The first definition: later ones belong to `prefers-contrast`.
  if (name && light && dark && !pairs.has(name)) pairs.set(name, [light, dark]);
}

function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one: string, other: string): number {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

const SURFACES = [
  "surface",
  "surface-raised",
  "surface-hover",
  "surface-selected",
  "surface-overlay",
];

const TEXT: readonly (readonly [string, string])[] = [
  ...[...SURFACES, "surface-sunken", "surface-bubble", "accent-soft"].flatMap((surface) =>
    ["text", "text-muted"].map((text) => [text, surface] as const),
  ),
  ...["surface", "surface-raised", "surface-bubble", "surface-overlay", "accent-soft"].flatMap(
    (surface) => ["accent", "accent-hover"].map((text) => [text, surface] as const),
  ),
  ...["surface-raised", "surface-overlay", "surface-hover", "danger-soft"].map(
    (surface) => ["danger", surface] as const,
  ),
  ["accent-contrast", "accent"],
  ["accent-contrast", "accent-hover"],
  ["danger-contrast", "danger"],
  ["danger-contrast", "danger-hover"],
  ["highlight-contrast", "highlight"],
  ["warning", "warning-soft"],
  ["success", "success-soft"],
  ["surface-raised", "text"],
];

const CONTROLS: readonly (readonly [string, string])[] = SURFACES.flatMap((surface) => [
  ["border-control", surface] as const,
  ["focus", surface] as const,
]);

function tooWeak(scheme: 0 | 1, list: readonly (readonly [string, string])[], least: number) {
  return list
    .map(([front, back]) => {
      const found = contrast(pairs.get(front)?.[scheme] ?? "", pairs.get(back)?.[scheme] ?? "");
      return { front, back, found };
    })
    .filter(({ found }) => !(found >= least));
}

test.each([
  ["light", 0],
  ["dark", 1],
] as const)("texts and controls of the %s scheme have enough contrast", (_name, scheme) => {
  expect(tooWeak(scheme, TEXT, 4.5)).toEqual([]);
  expect(tooWeak(scheme, CONTROLS, 3)).toEqual([]);
});
