/** Locks: those of the browser where it has them, otherwise locks within this process. */
import type { Locks } from "./ports.js";

/** Locks that only this object knows, in the order of the requests. */
export function processLocks(): Locks {
  const queues = new Map<string, Promise<unknown>>();
  return {
    request(name, { ifAvailable }, run) {
      const held = queues.get(name);
      if (held && ifAvailable) return run(null);
      const turn = (held ?? Promise.resolve()).then(() => run(name));
      const done = turn.then(
        () => {},
        () => {},
      );
      queues.set(name, done);
      void done.then(() => {
        if (queues.get(name) === done) queues.delete(name);
      });
      return turn;
    },
  };
}

export function defaultLocks(): Locks {
  const shared = (globalThis.navigator as { locks?: Locks } | undefined)?.locks;
  return shared ?? processLocks();
}
