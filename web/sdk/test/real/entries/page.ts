/** The suite in a page: `runCase` on the window. */
import { indexedDbStorage } from "../../../src/indexeddb.js";
import { run, type Outcome } from "../suite/suite.js";
import type { Addresses } from "../suite/world.js";

declare global {
  interface Window {
    runCase(name: string, addresses: Addresses): Promise<Outcome>;
  }
}

window.runCase = (name, addresses) =>
  run(name, addresses, { storage: (database) => indexedDbStorage({ name: database }) });
