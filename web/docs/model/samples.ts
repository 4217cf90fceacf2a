// One request in three notations. All of them are made from the same operation and the same example, and a test
// sends the SDK's to compare it with the others.
import * as rest from "../../sdk/src/rest.ts";
import { ORIGIN } from "../page/origin.ts";
import type { Operation } from "./openapi.ts";

export interface Sample {
  readonly id: "curl" | "fetch" | "sdk";
  readonly label: string;
  readonly language: "sh" | "js";
  readonly code: string;
}

/** Functions of the SDK that take the only field of the body instead of the body. */
const ONLY_FIELD: Readonly<Record<string, string>> = {
  refresh: "refresh",
  logout: "refresh",
  editMessage: "message",
  addMember: "user_id",
};

export function samplesOf(operation: Operation): Sample[] {
  const samples: Sample[] = [
    { id: "curl", label: "curl", language: "sh", code: curl(operation) },
    { id: "fetch", label: "fetch", language: "js", code: fetchCall(operation) },
  ];
  const sdk = sdkCall(operation);
  if (sdk) samples.push({ id: "sdk", label: "SDK", language: "js", code: sdk });
  return samples;
}

/** The path of the example, with its values. */
export function examplePath({ path, parameters }: Operation): string {
  const values = new Map(parameters.map(({ name, example }) => [name, String(example)]));
  return path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(values.get(name) ?? name),
  );
}

function curl(operation: Operation): string {
  const lines = [`curl "${ORIGIN}${examplePath(operation)}"`];
  // curl's own method is GET, and POST with a body.
  const usual = operation.body ? "POST" : "GET";
  if (operation.method !== usual) lines[0] += ` -X ${operation.method}`;
  if (operation.authenticated) lines.push(`  -H "Authorization: Bearer $ACCESS"`);
  if (operation.body) {
    lines.push(`  -H "Content-Type: application/json"`);
    // Spaces between the fields, so that a long line wraps there.
    const json = JSON.stringify(operation.body.example, null, 1).replace(/\n */g, " ");
    lines.push(`  -d '${json}'`);
  }
  return lines.join(" \\\n");
}

function fetchCall(operation: Operation): string {
  const { method, authenticated, body, answers } = operation;
  const headers = [
    ...(authenticated ? ["    authorization: `Bearer ${access}`,"] : []),
    ...(body ? [`    "content-type": "application/json",`] : []),
  ];
  const options = [
    ...(method === "GET" ? [] : [`  method: "${method}",`]),
    ...(headers.length ? ["  headers: {", ...headers, "  },"] : []),
    ...(body ? [`  body: JSON.stringify(${literal(body.example, 1)}),`] : []),
  ];
  const url = `"${ORIGIN}${examplePath(operation)}"`;
  const call = options.length ? `${url}, {\n${options.join("\n")}\n}` : url;
  const hasBody = answers.some(({ type }) => type.length > 0);
  const result = hasBody ? "\nconst answer = await response.json();" : "";
  return `const response = await fetch(${call});${result}`;
}

/** The arguments after the connection, or nothing if the SDK has no function for the operation. */
export function sdkArguments({ id, parameters, body }: Operation): unknown[] | null {
  if (!(id in rest)) return null;
  const path = parameters.filter(({ in: place }) => place === "path").map(({ example }) => example);
  if (!body) return path;
  const only = ONLY_FIELD[id];
  const fields = body.example as Readonly<Record<string, unknown>>;
  return [...path, only === undefined ? fields : fields[only]];
}

function sdkCall(operation: Operation): string | null {
  const given = sdkArguments(operation);
  if (!given) return null;
  const access = operation.authenticated ? ", token: access" : "";
  const values = ["http", ...given.map((value) => literal(value, 0))].join(", ");
  return [
    `import { ${["rest", operation.id].sort().join(", ")} } from "@colloquy/sdk/rest";`,
    "",
    `const http = rest({ baseUrl: "${ORIGIN}"${access} });`,
    `const answer = await ${operation.id}(${values});`,
    "if (!answer.ok) throw new Error(answer.error.message);",
  ].join("\n");
}

/** A value as JavaScript, indented by as many levels. */
function literal(value: unknown, level: number): string {
  const json = JSON.stringify(value, null, 2).replace(/^(\s*)"([a-z_]+)":/gm, "$1$2:");
  // Short lists of numbers stay on one line.
  const compact = json.replace(
    /\[\s+([\d,\s]+?)\s+\]/g,
    (_, list: string) => `[${list.replace(/\s+/g, " ")}]`,
  );
  return compact.replaceAll("\n", `\n${"  ".repeat(level)}`);
}
