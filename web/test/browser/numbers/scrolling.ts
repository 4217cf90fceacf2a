// Reading back through a long conversation.
import type { Page } from "playwright-core";

import "./probe.ts";

/** One notch of a wheel. */
const NOTCH_PX = 120;

/** Scrolls up by one notch of a wheel a frame. Returns how long the frames took. */
export const scrollUp = (page: Page, steps: number): Promise<number[]> =>
  page.evaluate(
    ({ steps, by }) => {
      const scroller = document.querySelector(".scroller")!;
      return probe.frames(steps, () => scroller.scrollBy({ top: -by, behavior: "instant" }));
    },
    { steps, by: NOTCH_PX },
  );

/** Scrolls to the beginning of the conversation, which loads all of it. */
export const scrollToStart = (page: Page): Promise<void> =>
  page.evaluate(async () => {
    const scroller = document.querySelector(".scroller")!;
    const first = () => document.querySelector("li[data-key]");
    while (first()?.getAttribute("data-number") !== "1") {
      await probe.frames(1, () => scroller.scrollBy({ top: -scroller.scrollHeight }));
    }
  });

/**
 * Scrolls to where older messages are read until `rows` more have been inserted above, a few at a time.
 * Returns by how many pixels that has moved the row that was on top of the screen, at most.
 */
export const insertAbove = (page: Page, rows: number): Promise<number> =>
  page.evaluate(async (wanted) => {
    const scroller = document.querySelector(".scroller")!;
    const all = () => [...document.querySelectorAll<HTMLElement>("li[data-number]")];
    const first = () => Number(all()[0]!.dataset["number"]);
    const start = first();
    let moved = 0;
    while (start - first() < wanted) {
      const loaded = first();
      // Between two frames, as a person does.
      await new Promise((resolve) => setTimeout(resolve));
      scroller.scrollTop = Math.min(scroller.clientHeight * 1.2, scroller.scrollHeight / 4);
      const edge = scroller.getBoundingClientRect().top;
      const read = all().find((row) => row.getBoundingClientRect().bottom > edge)!;
      const before = read.getBoundingClientRect().top;
      while (first() === loaded) await probe.frames(1, () => undefined);
      await probe.frames(2, () => undefined);
      moved = Math.max(moved, Math.abs(read.getBoundingClientRect().top - before));
    }
    return moved;
  }, rows);

export const countNodes = (page: Page): Promise<number> =>
  page.evaluate(() => document.querySelectorAll("*").length);
