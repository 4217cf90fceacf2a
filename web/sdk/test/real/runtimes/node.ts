/** Node, as a process: with the WebSocket of `ws`, or with its own from version 22 on. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { NodeRequest } from "../entries/node.js";
import type { Outcome } from "../suite/suite.js";
import { bundle, type Runtime, type RuntimeKind } from "./runtime.js";

const PACKAGES = `${import.meta.dirname}/../npm`;

/** The Node that runs the tests. */
export const nodeWithWs: RuntimeKind = {
  name: `Node ${major(process.version)} with ws`,
  start: () => start(process.execPath, []),
};

/** The Node of the npm package, with nothing handed in. */
export const node22: RuntimeKind = {
  name: "Node 22",
  start: () => {
    const program = `${PACKAGES}/node_modules/node-linux-${process.arch}/bin/node`;
    if (existsSync(program)) return start(program, ["--own-websocket"]);
    throw new Error("Node 22 is missing: npm ci --ignore-scripts in web/sdk/test/real/npm");
  },
};

async function start(program: string, options: string[]): Promise<Runtime> {
  const directory = await mkdtemp(join(tmpdir(), "colloquy-sdk-"));
  const file = join(directory, "suite.mjs");
  await writeFile(file, await bundle("node"));
  const child = spawn(program, [file, ...options], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const waiting = new Map<string, (outcome: Outcome) => void>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    const { name, outcome } = JSON.parse(line) as { name: string; outcome: Outcome };
    waiting.get(name)?.(outcome);
    waiting.delete(name);
  });
  void ended.then(() => {
    for (const settle of waiting.values()) settle({ ok: false, error: "the process has ended" });
  });
  return {
    run: (name, addresses) => {
      const request: NodeRequest = { name, addresses };
      child.stdin.write(`${JSON.stringify(request)}\n`);
      return new Promise((resolve) => waiting.set(name, resolve));
    },
    end: async () => {
      child.stdin.end();
      await ended;
      await rm(directory, { recursive: true });
    },
  };
}

function major(version: string): string {
  return version.slice(1).split(".")[0] ?? "";
}
