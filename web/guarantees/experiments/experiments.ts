// The experiments behind the buttons: each breaks one thing, repairs it, and says what was seen.
//
// To add one: its name and function here, its texts in `i18n/en.ts`. The button follows.
import type { Demonstration } from "../demonstration.ts";
import { i18n } from "../i18n/index.ts";
import { sleep } from "../result.ts";
import { deleteOwn, editOwn, loseAck, noticeSilence, renew, sameId } from "./steps.ts";

export type ExperimentName =
  | "send"
  | "silence"
  | "loseAck"
  | "sameId"
  | "slow"
  | "behindLess"
  | "behindMore"
  | "edit"
  | "token"
  | "session"
  | "remove"
  | "server";

export interface Run {
  readonly demonstration: Demonstration;
  /** Shows what is happening. */
  readonly progress: (text: string) => void;
  readonly signal: AbortSignal;
}

/** Returns what was seen, in a sentence. */
export type Experiment = (run: Run) => Promise<string>;

export const EXPERIMENTS: Readonly<Record<ExperimentName, Experiment>> = {
  send: async ({ demonstration, progress }) => {
    const COUNT = 20;
    for (const phone of demonstration.phones) demonstration.say(phone, COUNT);
    const { throttleMs } = demonstration;
    progress(throttleMs > 0 ? i18n.t.progress.paced(throttleMs / 1000) : i18n.t.progress.sending);
    return i18n.t.outcome.send(2 * COUNT);
  },

  silence: async ({ demonstration, progress }) => {
    const { phones, skipWaits } = demonstration;
    const [, ben] = phones;
    ben.line.silence();
    for (const phone of phones) demonstration.say(phone, 3);
    progress(skipWaits ? i18n.t.progress.silent : i18n.t.progress.silentReal);
    await sleep(1_500);
    const noticed = await noticeSilence(demonstration, ben);
    await sleep(1_000);
    ben.restore(skipWaits);
    return noticed ? i18n.t.outcome.silence(ben.name) : i18n.t.outcome.silenceUnnoticed(ben.name);
  },

  loseAck: async ({ demonstration, progress }) => {
    const [, ben] = demonstration.phones;
    const before = demonstration.duplicateAcks;
    loseAck(demonstration, ben);
    progress(i18n.t.progress.loseAck);
    await demonstration.until(() => ben.waiting === 0 && !ben.line.losesAck, 40_000);
    await demonstration.until(() => demonstration.duplicateAcks > before, 1_000);
    return i18n.t.outcome.loseAck(demonstration.duplicateAcks > before);
  },

  sameId: async ({ demonstration, progress }) => {
    progress(i18n.t.progress.sameId);
    const ids = await sameId(demonstration, demonstration.phones[0]);
    if (!ids) return i18n.t.outcome.sameIdRefused;
    return i18n.t.outcome.sameId(ids.socket, ids.rest);
  },

  slow: async ({ demonstration, progress }) => {
    const [, ben] = demonstration.phones;
    ben.line.delay(1_200);
    for (const phone of demonstration.phones) demonstration.say(phone, 3);
    progress(i18n.t.progress.slow);
    await demonstration.until(
      () => demonstration.phones.every(({ waiting }) => waiting === 0),
      30_000,
    );
    ben.restore(false);
    return i18n.t.outcome.slow;
  },

  behindLess: (run) => fallBehind(run, run.demonstration.resumeEvents - 1),
  behindMore: (run) => fallBehind(run, run.demonstration.resumeEvents + 1),

  edit: async ({ demonstration, progress }) => {
    const [ann, ben] = demonstration.phones;
    if (ann.ownMessages().length < 2) {
      demonstration.say(ann, 2);
      await demonstration.settle(30_000);
    }
    progress(i18n.t.progress.edit);
    ben.line.disconnect();
    await editOwn(demonstration, ann);
    await deleteOwn(demonstration, ann);
    demonstration.say(ann);
    await sleep(1_000);
    ben.restore(demonstration.skipWaits);
    return i18n.t.outcome.edit;
  },

  token: async ({ demonstration, progress }) => {
    const [, ben] = demonstration.phones;
    const { count } = demonstration.log;
    progress(i18n.t.progress.token);
    renew(ben);
    for (const phone of demonstration.phones) demonstration.say(phone);
    const renewed = await demonstration.until(
      () => demonstration.log.entries.some(({ n, title }) => n > count && title === "auth.ok"),
      20_000,
    );
    return renewed ? i18n.t.outcome.token : i18n.t.outcome.tokenNot;
  },

  session: async ({ demonstration, progress }) => {
    const [ann, ben] = demonstration.phones;
    progress(i18n.t.progress.session);
    await demonstration.endSession(ben);
    await demonstration.until(() => ben.status.name === "signed-out", 30_000);
    const others = ann.status.name === "live";
    for (const phone of demonstration.phones) demonstration.say(phone, 2);
    await sleep(1_500);
    await demonstration.bringBack(ben);
    return others ? i18n.t.outcome.session(ben.name) : i18n.t.outcome.sessionBoth;
  },

  remove: async ({ demonstration, progress }) => {
    const [ann, ben] = demonstration.phones;
    progress(i18n.t.progress.remove);
    await demonstration.remove(ben);
    await demonstration.until(() => ben.status.name === "removed", 20_000);
    demonstration.say(ann, 3);
    await demonstration.until(() => ann.waiting === 0, 20_000);
    await sleep(1_000);
    const after = demonstration.ledger.ledger.afterRemoval;
    await demonstration.readmit(ben);
    return i18n.t.outcome.remove(after);
  },

  server: async ({ demonstration, progress, signal }) => {
    const { phones } = demonstration;
    progress(i18n.t.progress.serverWait);
    const gone = (): boolean => phones.every(({ status }) => status.name !== "live");
    await demonstration.until(() => gone() || signal.aborted, 3_600_000);
    if (signal.aborted) return i18n.t.outcome.serverStopped;
    for (const phone of phones) demonstration.say(phone, 3);
    progress(i18n.t.progress.serverGone);
    const back = (): boolean => phones.every(({ status }) => status.name === "live");
    await demonstration.until(() => back() || signal.aborted, 3_600_000);
    return signal.aborted ? i18n.t.outcome.serverStopped : i18n.t.outcome.server;
  },
};

async function fallBehind({ demonstration, progress }: Run, count: number): Promise<string> {
  const [, ben] = demonstration.phones;
  progress(i18n.t.progress.gather);
  await demonstration.writers.gather();
  // Joining is an event too: it must not count.
  await demonstration.settle(30_000);
  ben.line.disconnect();
  await demonstration.writers.write(count, (written) =>
    progress(i18n.t.progress.behind(ben.name, written, count)),
  );
  const { count: before } = demonstration.log;
  ben.restore(demonstration.skipWaits);
  await demonstration.until(() => ben.status.name === "live", 60_000);
  const resumed = demonstration.log.entries.some(
    ({ n, who, title }) => n > before && who === ben.name && title === "sync",
  );
  return i18n.t.outcome.behind(count, resumed);
}
