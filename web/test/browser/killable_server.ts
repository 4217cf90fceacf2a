// The server that a test may kill. In a run of `cargo xtask test` it is the one under test, which the control
// server kills and starts, on every host. COLLOQUY_BINARY names a program that a test starts for itself.
import { BINARY, OwnServer } from "./own_server.ts";

const CONTROL = process.env["COLLOQUY_CONTROL_URL"];

export interface KillableServer {
  readonly url: string;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
  /** Resolves when it answers. */
  start(): Promise<void>;
  /** Leaves it as it was found. */
  release(): Promise<void>;
}

export const HAS_KILLABLE_SERVER = (CONTROL ?? BINARY) !== undefined;

/** Only one test at a time may have it: tests that kill a server are in one file. */
export async function killableServer(): Promise<KillableServer> {
  if (CONTROL) return serverUnderTest(CONTROL);
  const own = await OwnServer.start(BINARY ?? "", { THROTTLE_RATE_SECONDS: "0" });
  return {
    url: own.url,
    kill: () => own.kill(),
    start: () => own.start(),
    release: () => own.remove(),
  };
}

async function serverUnderTest(control: string): Promise<KillableServer> {
  const description = (await (await fetch(control)).json()) as { base_url: string };
  const perform = async (action: string) => {
    const response = await fetch(`${control}/server/${action}`, { method: "POST" });
    if (!response.ok) throw new Error(`${action}: ${response.status} ${await response.text()}`);
  };
  return {
    url: description.base_url,
    kill: () => perform("crash"),
    start: () => perform("start"),
    release: () => perform("start"),
  };
}
