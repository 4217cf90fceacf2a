// Mounts "try it" and the console where their buttons were. Loaded by the first press of one.
import { mount, type Component } from "svelte";

import { serverDocuments } from "../client/refresh.ts";
import { operationsOf } from "../model/openapi.ts";
import { readDocuments, type Documents } from "../page/documents.ts";
import Console from "./Console.svelte";
import TryOperation from "./TryOperation.svelte";

export async function openTry(target: HTMLElement, operationId: string): Promise<void> {
  const { api } = await documents();
  const operation = operationsOf(api).find(({ id }) => id === operationId);
  if (!operation) throw new Error(`this server has no operation ${operationId}`);
  show(TryOperation, target, { operation });
}

export async function openConsole(target: HTMLElement): Promise<void> {
  const { socket } = await documents();
  show(Console, target, { api: socket });
}

async function documents(): Promise<Documents> {
  const { openapi, asyncapi } = await serverDocuments();
  return readDocuments(openapi, asyncapi);
}

/** The focus goes to the first thing one can use: the button that had it disappears. */
function show<P extends Record<string, unknown>>(
  component: Component<P>,
  target: HTMLElement,
  props: P,
): void {
  target.classList.add("opened");
  mount(component, { target, props });
  target.querySelector<HTMLElement>("button:not(.open), input, textarea")?.focus();
}
