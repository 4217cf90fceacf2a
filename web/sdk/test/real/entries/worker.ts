/** The suite in a Worker: a request names a case, and its response has the outcome. */
import { memoryStorage, type ChatStorage } from "../../../src/index.js";
import { run } from "../suite/suite.js";
import type { NodeRequest } from "./node.js";

export default {
  async fetch(request: Request): Promise<Response> {
    const { name, addresses } = (await request.json()) as NodeRequest;
    const stores = new Map<string, ChatStorage>();
    const storage = (key: string): ChatStorage => {
      const known = stores.get(key) ?? memoryStorage();
      stores.set(key, known);
      return known;
    };
    return Response.json(await run(name, addresses, { storage }));
  },
};
