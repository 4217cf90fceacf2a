// Renders what is made from the documents again when the server has others than those the page was built from, as
// behind a page that is older than its server. Usually they are the same, and the code below `parts.ts` is not loaded.
import type { AsyncApi } from "../model/asyncapi.ts";
import type { OpenApi } from "../model/openapi.ts";
import { digest } from "./digest.ts";

export interface ServerDocuments {
  readonly openapi: OpenApi;
  readonly asyncapi: AsyncApi;
}

let loading: Promise<ServerDocuments> | undefined;

/** The documents of this server, read once. */
export function serverDocuments(): Promise<ServerDocuments> {
  loading ??= load().catch((error: unknown) => {
    // The next one who asks tries again.
    loading = undefined;
    throw error;
  });
  return loading;
}

async function load(): Promise<ServerDocuments> {
  const [openapi, asyncapi] = await Promise.all([
    read<OpenApi>("/api/openapi.json"),
    read<AsyncApi>("/api/asyncapi.json"),
  ]);
  return { openapi, asyncapi };
}

async function read<T>(path: string): Promise<T> {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return (await response.json()) as T;
}

export async function refreshFromServer(): Promise<void> {
  const note = document.querySelector('[data-slot="version"]');
  try {
    const { openapi, asyncapi } = await serverDocuments();
    const isSame = digest(openapi, asyncapi) === document.documentElement.dataset["documents"];
    if (!isSame) (await import("./parts.ts")).renderParts(openapi, asyncapi);
    if (note)
      note.textContent = `Version ${openapi.info.version}, as this server describes itself.`;
  } catch {
    // Without a connection the page stays as it was built.
    if (note)
      note.textContent +=
        ". This server did not describe itself; what follows is what the page was built from.";
  }
}
