// The REST API as the page shows it, read from the OpenAPI document.
import { exampleOf } from "./example.ts";
import {
  fieldsOf,
  nameOf,
  rulesOf,
  typeOf,
  type Field,
  type Schema,
  type Schemas,
} from "./schema.ts";
import type { TypePart } from "./schema.ts";

interface Content {
  readonly "application/json"?: { readonly schema?: Schema };
}

interface ResponseObject {
  readonly description: string;
  readonly content?: Content;
  readonly headers?: Readonly<Record<string, { readonly description?: string }>>;
}

interface OperationObject {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly security?: readonly Readonly<Record<string, unknown>>[];
  readonly parameters?: readonly ParameterObject[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, ResponseObject>>;
}

interface ParameterObject {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly description: string;
  readonly required: boolean;
  readonly schema: Schema;
}

export interface OpenApi {
  readonly info: { readonly version: string };
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>;
  readonly components: { readonly schemas: Schemas };
}

export interface Parameter extends Field {
  readonly in: "path" | "query" | "header";
  readonly example: unknown;
}

export interface Answer {
  readonly status: number;
  readonly description: string;
  readonly type: readonly TypePart[];
  readonly headers: readonly string[];
  /** Absent if there is no body, or one of no declared shape. */
  readonly example?: unknown;
}

export interface Body {
  readonly fields: readonly Field[];
  readonly example: unknown;
}

export interface Operation {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly summary: string;
  readonly description: string;
  readonly authenticated: boolean;
  readonly parameters: readonly Parameter[];
  readonly body?: Body;
  /** What succeeds. */
  readonly answers: readonly Answer[];
  /** What fails in a way of its own. */
  readonly failures: readonly Answer[];
  /** Every status it may answer with. */
  readonly statuses: readonly number[];
}

export interface Group {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly operations: readonly Operation[];
}

export interface NamedType {
  readonly name: string;
  readonly description: string;
  readonly type: readonly TypePart[];
  readonly fields: readonly Field[];
}

export interface RestApi {
  readonly version: string;
  readonly groups: readonly Group[];
  /** Failures that any operation may answer with, once for all. */
  readonly ordinary: readonly Answer[];
  /** The schemas that answers consist of. */
  readonly types: readonly NamedType[];
}

/** The title of a group. Its name in the document is a word in lower case. */
const TITLES: Readonly<Record<string, string>> = {
  users: "Accounts and sessions",
  conversations: "Conversations and members",
  messages: "Messages",
  health: "The server",
};

/** Statuses that say nothing about the operation. Each is shown once, unless it is described differently. */
const ORDINARY = new Set(["408", "413", "415", "500", "503"]);

export function readOpenApi(document: OpenApi): RestApi {
  const { schemas } = document.components;
  // Sockets are described by the other document.
  const rows = Object.entries(document.paths)
    .filter(([path]) => !path.startsWith("/ws/"))
    .flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
    );
  const usual = usualDescriptions(rows.map(({ operation }) => operation));
  const operations = rows.map((row) => readOperation(row, schemas, usual));
  const tags = new Map(rows.map(({ operation }) => [operation.operationId, operation.tags]));
  const groups = document.tags.map(({ name, description }) => ({
    name,
    title: TITLES[name] ?? name,
    description,
    operations: operations.filter(({ id }) => tags.get(id)?.includes(name)),
  }));
  return {
    version: document.info.version,
    groups: groups.filter((group) => group.operations.length > 0),
    ordinary: ordinaryAnswers(
      rows.map(({ operation }) => operation),
      usual,
      schemas,
    ),
    types: namedTypes(
      rows.map(({ operation }) => operation),
      schemas,
    ),
  };
}

export const operationsOf = (api: RestApi): Operation[] =>
  api.groups.flatMap(({ operations }) => operations);

interface Row {
  readonly path: string;
  readonly method: string;
  readonly operation: OperationObject;
}

function readOperation(
  { path, method, operation }: Row,
  schemas: Schemas,
  usual: Usual,
): Operation {
  const answers = Object.entries(operation.responses).map(([status, response]) => ({
    isOrdinary: usual.get(status) === response.description,
    answer: readAnswer(Number(status), response, schemas),
  }));
  const body = operation.requestBody?.content["application/json"]?.schema;
  return {
    id: operation.operationId,
    method: method.toUpperCase(),
    path,
    summary: operation.summary,
    description: operation.description ?? "",
    authenticated: operation.security !== undefined,
    parameters: (operation.parameters ?? []).map((one) => readParameter(one, schemas)),
    ...(body && { body: { fields: fieldsOf(body, schemas), example: exampleOf(body, schemas) } }),
    answers: answers.map(({ answer }) => answer).filter(({ status }) => status < 300),
    failures: answers
      .filter(({ answer, isOrdinary }) => answer.status >= 300 && !isOrdinary)
      .map(({ answer }) => answer),
    statuses: answers.map(({ answer }) => answer.status),
  };
}

function readParameter(parameter: ParameterObject, schemas: Schemas): Parameter {
  const { name, description, required, schema } = parameter;
  return {
    name,
    in: parameter.in,
    description,
    required,
    // A parameter that is left out is absent, never null.
    type: typeOf(schema).filter(({ text }) => text !== "null" && text !== " or "),
    rules: rulesOf(schema),
    example: PARAMETERS[name] ?? exampleOf(schema, schemas, name),
  };
}

const PARAMETERS: Readonly<Record<string, unknown>> = {
  id: 7,
  limit: 50,
  before: "541",
  "Idempotency-Key": "5b1c6d1e-8f0f-4b0e-9d57-0c6f3b6f1a11",
  message_id: 123,
  user_id: 2,
};

function readAnswer(status: number, response: ResponseObject, schemas: Schemas): Answer {
  const schema = response.content?.["application/json"]?.schema;
  return {
    status,
    description: sentence(response.description),
    type: schema ? typeOf(schema) : [],
    headers: Object.keys(response.headers ?? {}),
    ...(schema && { example: exampleOf(schema, schemas) }),
  };
}

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);

/** The description that most operations have for an ordinary status. */
type Usual = ReadonlyMap<string, string>;

function usualDescriptions(operations: readonly OperationObject[]): Usual {
  const usual = new Map<string, string>();
  for (const status of ORDINARY) {
    const counts = new Map<string, number>();
    for (const { responses } of operations) {
      const description = responses[status]?.description;
      if (description !== undefined) counts.set(description, (counts.get(description) ?? 0) + 1);
    }
    const [most] = [...counts].sort(([, a], [, b]) => b - a);
    if (most) usual.set(status, most[0]);
  }
  return usual;
}

function ordinaryAnswers(
  operations: readonly OperationObject[],
  usual: Usual,
  schemas: Schemas,
): Answer[] {
  return [...usual].flatMap(([status, description]) => {
    const all = operations.map(({ responses }) => responses[status]);
    const response = all.find((one) => one?.description === description);
    return response ? [readAnswer(Number(status), response, schemas)] : [];
  });
}

/** The schemas that are not the body of a request: an operation shows that one itself. */
function namedTypes(operations: readonly OperationObject[], schemas: Schemas): NamedType[] {
  const bodies = operations.map(
    (one) => one.requestBody?.content["application/json"]?.schema?.$ref,
  );
  const requests = new Set(bodies.flatMap((ref) => (ref ? [nameOf(ref)] : [])));
  return Object.entries(schemas)
    .filter(([name]) => !requests.has(name))
    .map(([name, schema]) => ({
      name,
      description: schema.description ?? "",
      type: isObject(schema) ? [] : typeOf(schema),
      fields: fieldsOf(schema, schemas),
    }));
}

const isObject = (schema: Schema): boolean => schema.properties !== undefined || !!schema.allOf;
