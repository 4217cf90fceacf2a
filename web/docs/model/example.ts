// An example of a schema. The document's own examples come first, then the value a field of this name has
// everywhere on the page, so that the examples tell one story: user 1 writes message 123 to conversation 7.
import { resolve, type Schema, type Schemas } from "./schema.ts";

const TOKEN = "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl";
const TIME = "2026-01-31T09:05:03.042Z";

const BY_NAME: Readonly<Record<string, unknown>> = {
  access: TOKEN,
  active_at: TIME,
  as_of_seq: 843,
  client_message_id: "5b1c6d1e-8f0f-4b0e-9d57-0c6f3b6f1a11",
  created_at: "2026-01-05T18:20:41.007Z",
  first_name: "John",
  joined_at: "2026-01-05T18:20:41.007Z",
  last_name: "Doe",
  mentions: [],
  message_id: 123,
  name: null,
  next_after: null,
  next_before: "541",
  number: 641,
  refresh: TOKEN,
  reply_to: null,
  request_id: "0198f1a5c2d07e63",
  seq: 843,
  server_time: TIME,
  timestamp: TIME,
  token: TOKEN,
  user_id: 2,
  version: 1,
};

/** Optional fields that belong into an example of a request because leaving them out is rarely right. */
const RECOMMENDED = new Set(["client_message_id"]);

export function exampleOf(schema: Schema, schemas: Schemas, name = ""): unknown {
  if (schema.example !== undefined) return schema.example;
  if (schema.const !== undefined) return schema.const;
  if (schema.$ref === undefined && name in BY_NAME) return BY_NAME[name];
  const resolved = resolve(schema, schemas);
  if (resolved !== schema) return exampleOf(resolved, schemas, name);
  const alternative = schema.oneOf?.[0];
  if (alternative) return exampleOf(alternative, schemas, name);
  if (schema.allOf) return allOf(schema.allOf, schemas, name);
  if (schema.enum) return schema.enum[0];
  return plainExample(schema, schemas, name);
}

function allOf(parts: readonly Schema[], schemas: Schemas, name: string): unknown {
  const examples = parts.map((part) => exampleOf(part, schemas, name));
  return examples.length === 1 ? examples[0] : Object.assign({}, ...examples);
}

function plainExample(schema: Schema, schemas: Schemas, name: string): unknown {
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  switch (type) {
    case "array":
      return schema.items ? [exampleOf(schema.items, schemas, name)] : [];
    case "integer":
    case "number":
      return Math.max(schema.minimum ?? 1, 1);
    case "boolean":
      return name === "duplicate" ? false : true;
    case "string":
      return schema.format === "date-time" ? TIME : name;
    default:
      return objectExample(schema, schemas);
  }
}

function objectExample(schema: Schema, schemas: Schemas): Record<string, unknown> {
  const required = new Set(schema.required);
  const chosen = Object.entries(schema.properties ?? {}).filter(
    ([name]) => required.has(name) || RECOMMENDED.has(name),
  );
  const example = Object.fromEntries(
    chosen.map(([name, value]) => [name, exampleOf(value, schemas, name)]),
  );
  const { additionalProperties: other } = schema;
  // The one object with further fields is the body that names the invalid ones.
  return typeof other === "object"
    ? { username: ["This field is required."], ...example }
    : example;
}
