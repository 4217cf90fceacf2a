/** The process with the SDK's clients of a torture run: reads orders, writes reports. */
import { createInterface } from "node:readline";
import { TortureClient } from "./client.js";
import type { Order } from "./protocol.js";

const clients = new Map<number, TortureClient>();

createInterface({ input: process.stdin })
  .on("line", (line) => take(JSON.parse(line) as Order))
  // The torture run has ended.
  .on("close", () => process.exit(0));

function take(order: Order): void {
  if (order.do === "open") {
    clients.set(order.client, new TortureClient(order, (report) => write(order.client, report)));
    return;
  }
  const client = clients.get(order.client);
  if (!client) throw new Error(`client ${order.client} is not open`);
  client.take(order);
}

function write(client: number, report: object): void {
  process.stdout.write(`${JSON.stringify({ client, ...report })}\n`);
}
