// JSON Schema as the server's two documents use it: the fields of a schema, its type in words, its rules.
// The keywords it does not read do not occur there.

export interface Schema {
  readonly $ref?: string;
  readonly allOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly type?: string | readonly string[];
  readonly enum?: readonly (string | number)[];
  readonly const?: string | number | boolean;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly description?: string;
  readonly format?: string;
  readonly pattern?: string;
  readonly example?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
}

export type Schemas = Readonly<Record<string, Schema>>;

/** A piece of a type in words. `ref` is the name of the schema it refers to. */
export interface TypePart {
  readonly text: string;
  readonly ref?: string;
}

export interface Field {
  readonly name: string;
  readonly type: readonly TypePart[];
  readonly required: boolean;
  readonly description: string;
  readonly rules: readonly string[];
}

export const nameOf = (reference: string): string => reference.split("/").at(-1) ?? reference;

/** The schema itself, without references at its top. */
export function resolve(schema: Schema, schemas: Schemas): Schema {
  if (schema.$ref === undefined) return schema;
  const target = schemas[nameOf(schema.$ref)];
  if (!target) throw new Error(`unknown schema ${schema.$ref}`);
  return resolve(target, schemas);
}

/** The fields of an object, those of `allOf` included. */
export function fieldsOf(schema: Schema, schemas: Schemas): Field[] {
  const object = resolve(schema, schemas);
  if (object.allOf) return object.allOf.flatMap((part) => fieldsOf(part, schemas));
  const required = new Set(object.required);
  return Object.entries(object.properties ?? {}).map(([name, value]) => ({
    name,
    type: typeOf(value),
    required: required.has(name),
    description: descriptionOf(value),
    rules: rulesOf(value),
  }));
}

/** The description of a field. That of "this or null" is with the first alternative. */
const descriptionOf = (schema: Schema): string =>
  schema.description ?? schema.oneOf?.[0]?.description ?? "";

/** The type in words, such as `array of integer`, `Message or null`. */
export function typeOf(schema: Schema): readonly TypePart[] {
  if (schema.$ref !== undefined) {
    const name = nameOf(schema.$ref);
    return [{ text: name, ref: name }];
  }
  if (schema.allOf?.length === 1 && schema.allOf[0]) return typeOf(schema.allOf[0]);
  if (schema.oneOf) return joined(schema.oneOf.map(typeOf));
  if (schema.const !== undefined) return [{ text: JSON.stringify(schema.const) }];
  if (schema.enum)
    return [{ text: schema.enum.map((value) => JSON.stringify(value)).join(" or ") }];
  const types = Array.isArray(schema.type) ? schema.type : [schema.type ?? "object"];
  return joined(types.map((type: string) => plainType(type, schema)));
}

function plainType(type: string, schema: Schema): readonly TypePart[] {
  if (type === "array" && schema.items) return [{ text: "array of " }, ...typeOf(schema.items)];
  if (type === "string" && schema.format === "date-time") return [{ text: "time" }];
  return [{ text: type }];
}

const joined = (alternatives: readonly (readonly TypePart[])[]): readonly TypePart[] =>
  alternatives.flatMap((parts, index) => (index === 0 ? parts : [{ text: " or " }, ...parts]));

/** The rules about a value, in words. */
export function rulesOf(schema: Schema): string[] {
  const { minimum, maximum, minLength, maxLength, minItems, maxItems, pattern } = schema;
  const rules = [
    between(minimum, maximum, ""),
    between(minLength, maxLength, " characters"),
    between(minItems, maxItems, " entries"),
  ];
  // The pattern of a time says no more than its type.
  if (pattern && schema.format !== "date-time") rules.push(`matches ${pattern}`);
  return rules.filter((rule) => rule !== "");
}

function between(least: number | undefined, limit: number | undefined, unit: string): string {
  // The largest number of 64 bits is the limit of a database column and no rule.
  const most = limit !== undefined && limit > Number.MAX_SAFE_INTEGER ? undefined : limit;
  const number = (value: number) => value.toLocaleString("en");
  if (most === undefined) {
    // Every id, position and text has such a bound: no news.
    return least === undefined || least <= 1 ? "" : `at least ${number(least)}${unit}`;
  }
  return least ? `${number(least)}–${number(most)}${unit}` : `at most ${number(most)}${unit}`;
}
