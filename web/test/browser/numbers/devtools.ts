// The page as on a slower device or line, and its memory, by the protocol of Chromium's developer tools.
import type { CDPSession, Page } from "playwright-core";

const MEGABIT = 1e6 / 8;

export class Devtools {
  private constructor(private readonly session: CDPSession) {}

  static async of(page: Page): Promise<Devtools> {
    return new Devtools(await page.context().newCDPSession(page));
  }

  /** The processor takes this many times as long. */
  async slowDown(rate: number): Promise<void> {
    await this.session.send("Emulation.setCPUThrottlingRate", { rate });
  }

  /** A line of 1.6 Mb/s that answers after 150 ms, or the real one. */
  async slowLine(slow: boolean): Promise<void> {
    const throughput = slow ? 1.6 * MEGABIT : -1;
    await this.session.send("Network.emulateNetworkConditions", {
      offline: false,
      latency: slow ? 150 : 0,
      downloadThroughput: throughput,
      uploadThroughput: throughput,
    });
  }

  async forgetFiles(): Promise<void> {
    await this.session.send("Network.clearBrowserCache");
  }

  /** Megabytes of live JavaScript objects. */
  async heap(): Promise<number> {
    // What finalisers and weak references keep is free only after the second collection.
    for (let round = 0; round < 2; round++) await this.session.send("HeapProfiler.collectGarbage");
    const { usedSize } = await this.session.send("Runtime.getHeapUsage");
    return usedSize / 1e6;
  }

  /** Nodes and listeners of the process, those that are not in the document as well. */
  counters(): Promise<{ nodes: number; jsEventListeners: number }> {
    return this.session.send("Memory.getDOMCounters");
  }
}
