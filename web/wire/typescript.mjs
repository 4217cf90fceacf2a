// TypeScript types of JSON Schemas.
//
// Reads the keywords that occur in the server's documents, in `OpenAPI` 3.1 and in draft 07, and rejects
// every other one, so that nothing is dropped unnoticed. Rules about values (lengths, patterns) have no
// counterpart in a type.

/** @typedef {Record<string, any>} Schema a schema: untyped JSON from a file */

const KEYWORDS = new Set([
  // What a type is made of.
  ...["$ref", "allOf", "oneOf", "enum", "const", "type", "items"],
  ...["properties", "required", "additionalProperties"],
  // Annotations, and rules about values.
  ...["description", "format", "example", "examples", "default", "pattern"],
  ...["minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"],
]);

const WIDTH = 96;

/**
 * The declaration of a named schema.
 * @param {string} name
 * @param {Schema} schema
 */
export function declaration(name, schema) {
  const isInterface = schema.type === "object" && schema.properties;
  const type = typeOf(schema);
  const text = isInterface ? `interface ${name} ${type}` : `type ${name} = ${type};`;
  return `${comment(schema.description)}export ${text}\n`;
}

/**
 * The type of a schema.
 * @param {Schema} schema
 * @returns {string}
 */
export function typeOf(schema) {
  checkKeywords(schema);
  const { $ref, allOf, oneOf, type } = schema;
  if ($ref !== undefined) return nameOf($ref);
  if (allOf !== undefined) return allOf.map(typeOf).join(" & ");
  if (oneOf !== undefined) return oneOf.map(typeOf).join(" | ");
  if (schema.enum !== undefined) return schema.enum.map(literal).join(" | ");
  if (schema.const !== undefined) return literal(schema.const);
  if (!Array.isArray(type)) return typeNamed(type, schema);
  return type.map((name) => typeNamed(name, schema)).join(" | ");
}

/**
 * @param {string} name
 * @param {Schema} schema
 */
function typeNamed(name, schema) {
  switch (name) {
    case "object":
      return objectType(schema);
    case "array":
      return `(${typeOf(schema.items)})[]`;
    case "integer":
    case "number":
      return "number";
    case "string":
    case "boolean":
    case "null":
      return name;
    default:
      throw new Error(`no type for ${JSON.stringify(schema)}`);
  }
}

/**
 * The name at the end of a reference.
 * @param {string} reference
 */
export function nameOf(reference) {
  return /** @type {string} */ (reference.split("/").at(-1));
}

/**
 * A doc comment, or nothing.
 * @param {string | undefined} words
 */
export function comment(words) {
  if (!words) return "";
  const paragraphs = words.split("\n\n").map((paragraph) => wrapped(paragraph.split(/\s+/)));
  const lines = paragraphs.flatMap((paragraph, index) => (index ? ["", ...paragraph] : paragraph));
  if (lines.length === 1) return `/** ${lines[0]} */\n`;
  return `/**\n${lines.map((line) => ` * ${line}`.trimEnd()).join("\n")}\n */\n`;
}

/** @param {Schema} schema */
function objectType({ properties = {}, required = [], additionalProperties }) {
  const fields = Object.entries(properties).map(([name, schema]) => {
    const mark = required.includes(name) ? "" : "?";
    return `${comment(descriptionOf(schema))}${name}${mark}: ${typeOf(schema)};\n`;
  });
  if (additionalProperties) {
    // An index signature has to allow the named properties too.
    const types = new Set([additionalProperties, ...Object.values(properties)].map(typeOf));
    fields.push(`[name: string]: ${[...types].join(" | ")};\n`);
  }
  return `{\n${fields.join("")}}`;
}

/**
 * The description of a field. That of "this or null" is with the first alternative.
 * @param {Schema} schema
 * @returns {string | undefined}
 */
function descriptionOf(schema) {
  return schema.description ?? schema.oneOf?.[0]?.description;
}

/** @param {Schema} schema */
function checkKeywords(schema) {
  const unknown = Object.keys(schema).filter((key) => !KEYWORDS.has(key));
  if (unknown.length > 0) throw new Error(`unknown keywords of a schema: ${unknown.join(", ")}`);
}

/** @param {unknown} value */
function literal(value) {
  return JSON.stringify(value);
}

/**
 * Lines of words, as wide as the code.
 * @param {string[]} words
 */
function wrapped(words) {
  /** @type {string[]} */
  const lines = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= WIDTH - 4) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else {
      lines.push(word);
    }
  }
  return lines;
}
