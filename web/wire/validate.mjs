// Validates `asyncapi.json` against the official JSON Schema of AsyncAPI 3.0: a part of
// `npm run check:wire`.
import { createRequire } from "node:module";

import { Ajv } from "ajv";

const require = createRequire(import.meta.url);

// Formats are left out: the specification uses them for annotations only. Strict mode rejects keywords
// of draft 07 that the specification's own schemas use.
const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
const validate = ajv.compile(require("@asyncapi/specs/schemas/3.0.0-without-$id.json"));

if (!validate(require("./asyncapi.json"))) {
  for (const { instancePath, message } of validate.errors ?? []) {
    console.error(`web/wire/asyncapi.json is not AsyncAPI 3.0: ${instancePath} ${message}`);
  }
  process.exitCode = 1;
}
