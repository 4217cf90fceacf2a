// The request that "try it" sends, and what it shows of the answer.
import type { Operation, Parameter } from "../model/openapi.ts";
import type { Playground } from "./session.svelte.ts";

export interface Known {
  readonly playground: Playground | null;
  readonly lastMessage: number | null;
}

/** What the field of a parameter begins with. Optional ones are left out until they are filled in. */
export function startValue(parameter: Parameter, known: Known): string {
  if (!parameter.required) return "";
  const { playground, lastMessage } = known;
  const own: Readonly<Record<string, number | null | undefined>> = {
    id: playground?.conversation,
    user_id: playground?.otherUser,
    message_id: lastMessage,
  };
  return String(own[parameter.name] ?? parameter.example);
}

/** What the body begins with: the example, with ids that exist here. */
export function startBody({ body }: Operation, { playground }: Known): string {
  if (!body) return "";
  const fields = { ...(body.example as Record<string, unknown>) };
  if (playground && "participants" in fields) fields["participants"] = [playground.otherUser];
  if (playground && "user_id" in fields) fields["user_id"] = playground.otherUser;
  // A repeated key would repeat the first answer.
  if ("client_message_id" in fields) fields["client_message_id"] = uniqueKey();
  return JSON.stringify(fields, null, 2);
}

let keys = 0;
const uniqueKey = (): string => `try-${Date.now().toString(36)}-${keys++}`;

export function urlOf(
  { path, parameters }: Operation,
  values: Readonly<Record<string, string>>,
): string {
  const value = (name: string) => encodeURIComponent(values[name] ?? "");
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => value(name));
  const query = parameters
    .filter(({ name, in: place }) => place === "query" && values[name])
    .map(({ name }) => `${encodeURIComponent(name)}=${value(name)}`);
  return query.length ? `${filled}?${query.join("&")}` : filled;
}

export interface Answered {
  readonly status: number;
  readonly elapsedMs: number;
  /** Headers that are worth showing. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly json: unknown;
  readonly text: string;
  /** Whether the document lists this status for the operation. */
  readonly documented: boolean;
}

const SHOWN = ["link", "retry-after", "x-request-id"];

export async function perform(
  operation: Operation,
  values: Readonly<Record<string, string>>,
  body: string,
  access: string | null,
): Promise<Answered> {
  const headers = new Headers();
  if (operation.authenticated && access) headers.set("authorization", `Bearer ${access}`);
  if (operation.body) headers.set("content-type", "application/json");
  for (const { name, in: place } of operation.parameters) {
    if (place === "header" && values[name]) headers.set(name, values[name]);
  }
  const started = performance.now();
  const response = await fetch(urlOf(operation, values), {
    method: operation.method,
    headers,
    ...(operation.body && { body }),
  });
  const text = await response.text();
  const json = parse(text);
  return {
    status: response.status,
    elapsedMs: Math.round(performance.now() - started),
    headers: SHOWN.flatMap((name) => {
      const value = response.headers.get(name);
      return value === null ? [] : [[name, value] as const];
    }),
    json,
    text: json === undefined ? text : JSON.stringify(json, null, 2),
    documented: operation.statuses.includes(response.status),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
