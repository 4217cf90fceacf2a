// The WebSocket protocol as the page shows it, read from the AsyncAPI document: frames, codes, limits.
import {
  fieldsOf,
  nameOf,
  resolve,
  typeOf,
  type Field,
  type Schema,
  type Schemas,
} from "./schema.ts";
import type { NamedType } from "./openapi.ts";

interface Reference {
  readonly $ref: string;
}

interface MessageObject {
  readonly name: string;
  readonly summary: string;
  readonly payload: Schema;
  readonly examples: readonly { readonly payload: unknown }[];
}

interface OperationObject {
  /** From the server's view: it receives what the client sends. */
  readonly action: "send" | "receive";
  readonly channel: Reference;
  readonly messages: readonly Reference[];
  readonly reply?: { readonly messages: readonly Reference[] };
}

export interface AsyncApi {
  readonly info: { readonly version: string };
  readonly channels: Readonly<Record<string, { readonly address: string }>>;
  readonly operations: Readonly<Record<string, OperationObject>>;
  readonly components: {
    readonly schemas: Schemas;
    readonly messages: Readonly<Record<string, MessageObject>>;
  };
  readonly "x-close-codes": readonly {
    readonly code: number;
    readonly reason: string;
    readonly description: string;
    readonly action_description: string;
  }[];
  readonly "x-error-codes": readonly {
    readonly code: string;
    readonly http_status: number;
    readonly retryable: boolean;
    readonly description: string;
  }[];
  readonly "x-limits": readonly Limit[];
}

export interface Frame {
  readonly name: string;
  /** The name of its schema, by which other schemas refer to it. */
  readonly schema: string;
  readonly summary: string;
  readonly fields: readonly Field[];
  readonly example: unknown;
  /** The frames that answer it. */
  readonly replies: readonly string[];
}

export interface ErrorCode {
  readonly code: string;
  readonly status: number;
  readonly retryable: boolean;
  readonly description: string;
}

export interface CloseCode {
  readonly code: number;
  readonly reason: string;
  readonly description: string;
  readonly action: string;
}

export interface Limit {
  readonly name: string;
  readonly value: number;
  readonly description: string;
}

export interface SocketApi {
  readonly path: string;
  /** v2, from the client to the server, and back. */
  readonly fromClient: readonly Frame[];
  readonly fromServer: readonly Frame[];
  /** The frames that only v1 has. */
  readonly v1: readonly Frame[];
  /** Parts of frames. */
  readonly types: readonly NamedType[];
  readonly errors: readonly ErrorCode[];
  readonly closes: readonly CloseCode[];
  readonly limits: readonly Limit[];
}

export function readAsyncApi(document: AsyncApi): SocketApi {
  const operations = Object.values(document.operations);
  const v2 = operations.filter(({ channel }) => nameOf(channel.$ref) === "v2");
  const fromClient = namesOf(v2.filter(({ action }) => action === "receive"));
  const all = Object.keys(document.components.messages);
  const ofV2 = new Set(v2.flatMap((one) => [...namesOf([one]), ...repliesOf(one)]));
  const frames = (names: readonly string[]) => names.map((name) => readFrame(name, document));
  return {
    path: document.channels["v2"]?.address ?? "",
    fromClient: frames(fromClient),
    fromServer: frames(all.filter((name) => ofV2.has(name) && !fromClient.includes(name))),
    v1: frames(all.filter((name) => !ofV2.has(name))),
    types: partsOfFrames(document),
    errors: document["x-error-codes"].map(({ http_status: status, ...code }) => ({
      ...code,
      status,
    })),
    closes: document["x-close-codes"].map(({ code, reason, description, ...close }) => {
      return { code, reason, description, action: close.action_description };
    }),
    limits: document["x-limits"],
  };
}

const namesOf = (operations: readonly OperationObject[]): string[] =>
  operations.flatMap(({ messages }) => messages.map(({ $ref }) => nameOf($ref)));

const repliesOf = ({ reply }: OperationObject): string[] =>
  (reply?.messages ?? []).map(({ $ref }) => nameOf($ref));

function readFrame(name: string, document: AsyncApi): Frame {
  const { messages, schemas } = document.components;
  const message = messages[name];
  if (!message) throw new Error(`unknown message ${name}`);
  const operations = Object.values(document.operations);
  const asked = operations.filter((one) => one.reply && namesOf([one]).includes(name));
  return {
    name,
    schema: nameOf(message.payload.$ref ?? ""),
    summary: message.summary,
    fields: fieldsOf(message.payload, schemas),
    example: message.examples[0]?.payload,
    replies: [...new Set(asked.flatMap(repliesOf))],
  };
}

/** The schemas that frames refer to and that are no frames themselves. */
function partsOfFrames({ components }: AsyncApi): NamedType[] {
  const frames = new Set(
    Object.values(components.messages).map(({ payload }) => nameOf(payload.$ref ?? "")),
  );
  return Object.entries(components.schemas)
    .filter(([name]) => !frames.has(name) && name !== "ErrorCode")
    .map(([name, schema]) => ({
      name,
      description: schema.description ?? "",
      type: resolve(schema, components.schemas).properties ? [] : typeOf(schema),
      fields: fieldsOf(schema, components.schemas),
    }));
}
