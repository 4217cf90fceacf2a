// A server of the test's own, which it may kill. COLLOQUY_BINARY names the program.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const BINARY = process.env["COLLOQUY_BINARY"];

export class OwnServer {
  readonly #data = mkdtempSync(join(tmpdir(), "colloquy-browser-"));
  #process: ChildProcess | null = null;

  private constructor(
    readonly binary: string,
    readonly port: number,
    readonly settings: Readonly<Record<string, string>>,
  ) {}

  /** Starts the program at a free port, with its database in a directory that `remove` deletes. */
  static async start(binary: string, settings: Record<string, string> = {}): Promise<OwnServer> {
    const server = new OwnServer(binary, await freePort(), settings);
    await server.start();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Resolves when it answers. */
  async start(): Promise<void> {
    const env = { ...process.env, PORT: String(this.port), DATA_DIR: this.#data, LOG_DIR: "" };
    this.#process = spawn(this.binary, { env: { ...env, ...this.settings }, stdio: "ignore" });
    for (let attempt = 0; attempt < 200; attempt++) {
      const answer = await fetch(`${this.url}/health/ready/`).catch(() => null);
      if (answer?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`${this.binary} does not answer`);
  }

  /** Ends the process at once, as a crash would. */
  async kill(): Promise<void> {
    const running = this.#process;
    this.#process = null;
    if (!running || running.exitCode !== null) return;
    running.kill("SIGKILL");
    await once(running, "exit");
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#data, { recursive: true });
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}
