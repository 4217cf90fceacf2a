// What a page notes about itself while it is measured: paints, long tasks, layout shifts, the time from a key
// to its paint, and its sockets. `installProbe` runs in the page before its own scripts.
import type { Page } from "playwright-core";

export interface Probe {
  /** Milliseconds since the navigation began; `null` before it. */
  firstPaint: number | null;
  /** The list of conversations is shown and the composer has the focus; as above. */
  usable: number | null;
  /** Durations of tasks of more than 50 ms. */
  longTasks: number[];
  /** Layout shifts that no input has caused, added up. */
  layoutShift: number;
  /** From a `keydown` event to the paint after it. The browser leaves out what is shorter than 16 ms. */
  keys: number[];
  /** The socket opened last. Older ones are not kept, so that they do not count as memory of the page. */
  socket: WebSocket | null;
  /** Runs a step in each of several frames, and returns how long each frame took. */
  frames(count: number, step: (frame: number) => void): Promise<number[]>;
}

declare global {
  var probe: Probe;
}

/** Puts the probe into every document that the page opens from now on. */
export const watch = (page: Page): Promise<unknown> => page.addInitScript(installProbe);

/** Runs in the page: it must not use anything of this module. */
function installProbe(): void {
  const nextFrame = () => new Promise<number>((resolve) => requestAnimationFrame(resolve));

  const probe: Probe = {
    firstPaint: null,
    usable: null,
    longTasks: [],
    layoutShift: 0,
    keys: [],
    socket: null,
    async frames(count, step) {
      const times: number[] = [];
      await nextFrame();
      let last = performance.now();
      for (let frame = 0; frame < count; frame++) {
        step(frame);
        await nextFrame();
        const now = performance.now();
        times.push(now - last);
        last = now;
      }
      return times;
    },
  };
  globalThis.probe = probe;

  globalThis.WebSocket = class extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      probe.socket = this;
    }
  };

  const observe = (type: string, run: (entry: PerformanceEntry) => void, options = {}) =>
    new PerformanceObserver((list) => list.getEntries().forEach(run)).observe({
      type,
      buffered: true,
      ...options,
    });
  observe("longtask", ({ duration }) => probe.longTasks.push(duration));
  observe("paint", ({ name, startTime }) => {
    if (name === "first-contentful-paint") probe.firstPaint = startTime;
  });
  // The types of TypeScript have no layout shifts.
  observe("layout-shift", (entry) => {
    const { value, hadRecentInput } = entry as unknown as {
      value: number;
      hadRecentInput: boolean;
    };
    if (!hadRecentInput) probe.layoutShift += value;
  });
  observe("event", ({ name, duration }) => name === "keydown" && probe.keys.push(duration), {
    durationThreshold: 16,
  });

  const checkUsable = () => {
    const list = document.querySelector("nav a[href^='#/c/']");
    if (list && document.activeElement?.tagName === "TEXTAREA") probe.usable = performance.now();
    else requestAnimationFrame(checkUsable);
  };
  checkUsable();
}
