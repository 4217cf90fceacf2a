// The module `web/sdk/src/wire/api.ts`: bodies and operations of the REST API.
import { comment, declaration, typeOf } from "./typescript.mjs";

/** @typedef {Record<string, any>} Json untyped JSON from a file */

const METHODS = ["get", "post", "put", "patch", "delete"];

/**
 * @param {Json} document the OpenAPI document
 * @param {Set<string>} imported types that `socket.ts` has
 */
export function apiModule(document, imported) {
  const schemas = Object.entries(document.components.schemas);
  const shared = schemas.map(([name]) => name).filter((name) => imported.has(name));
  const own = schemas.filter(([name]) => !imported.has(name));
  const operations = operationsOf(document);
  return [
    `import type { ${shared.join(", ")} } from "./socket.js";\n`,
    ...own.map(([name, schema]) => declaration(name, schema)),
    "/** Every operation: its request, its answer by status, and the body of every other status. */",
    `export interface Operations {\n${operations.map(operationType).join("")}}\n`,
    "/** The id of an operation. */\nexport type OperationId = keyof Operations;\n",
    "/** Method and path of every operation, and whether it needs an access token. */",
    `export const OPERATIONS = {\n${operations.map(operationRow).join("")}} as const satisfies {`,
    `[Id in OperationId]: Pick<Operations[Id], "method" | "path"> & { authenticated: boolean };\n};\n`,
  ].join("\n");
}

/**
 * The operations of REST. Sockets are described by the other document.
 * @param {Json} document
 */
function operationsOf(document) {
  const paths = Object.entries(document.paths).filter(([path]) => !path.startsWith("/ws/"));
  return paths.flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ path, method, ...item[method] })),
  );
}

/** @param {Json} operation */
function operationType(operation) {
  const responses = Object.entries(operation.responses);
  const answers = responses.filter(([status]) => status < "300");
  const errors = responses.filter(([status]) => status >= "300");
  const body = operation.requestBody?.content["application/json"].schema;
  const description = [operation.summary, operation.description].filter(Boolean).join(".\n\n");
  return [
    `${comment(description)}${operation.operationId}: {\n`,
    `method: ${JSON.stringify(operation.method.toUpperCase())};\n`,
    `path: ${JSON.stringify(operation.path)};\n`,
    parametersType(operation.parameters ?? []),
    body ? `body: ${typeOf(body)};\n` : "",
    `answers: {\n${answers.map(([status, response]) => answerType(status, response)).join("")}};\n`,
    `error: ${[...new Set(errors.map(([, response]) => bodyType(response)))].join(" | ")};\n`,
    "};\n",
  ].join("");
}

/**
 * @param {string} status
 * @param {Json} response
 */
function answerType(status, response) {
  return `${comment(response.description)}${status}: ${bodyType(response)};\n`;
}

/**
 * The body of a response: JSON of a type, of any type, or none.
 * @param {Json} response
 */
function bodyType(response) {
  const content = response.content?.["application/json"];
  if (content === undefined) return "undefined";
  return content.schema ? typeOf(content.schema) : "unknown";
}

/** @param {Json} operation */
function operationRow({ operationId, method, path, security }) {
  const row = { method: method.toUpperCase(), path, authenticated: security !== undefined };
  return `${operationId}: ${JSON.stringify(row)},\n`;
}

/**
 * The parameters by place, or nothing.
 * @param {Json[]} parameters
 */
function parametersType(parameters) {
  const places = [...new Set(parameters.map((parameter) => parameter.in))];
  const types = places.map((place) => {
    const fields = parameters.filter((parameter) => parameter.in === place).map(parameterType);
    return `${place}: {\n${fields.join("")}};\n`;
  });
  return types.length === 0 ? "" : `parameters: {\n${types.join("")}};\n`;
}

/** @param {Json} parameter */
function parameterType({ name, description, required, schema }) {
  // A parameter that is left out is absent, never null.
  const type = typeOf(schema).replace(" | null", "");
  return `${comment(description)}${JSON.stringify(name)}${required ? "" : "?"}: ${type};\n`;
}
