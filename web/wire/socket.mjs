// The module `web/sdk/src/wire/socket.ts`: frames, codes and limits of the WebSocket protocol.
import { comment, declaration } from "./typescript.mjs";

/** @param {Record<string, any>} document the AsyncAPI document */
export function socketModule(document) {
  const { schemas } = document.components;
  const types = Object.entries(schemas).map(([name, schema]) => declaration(name, schema));
  return [...types, ...constants(document.channels.v2), ...tables(document)].join("\n");
}

/** @param {Record<string, any>} channel */
function constants(channel) {
  return [
    constant("SOCKET_PATH", "The path of a conversation's socket.", channel.address),
    constant("SUBPROTOCOL", "The subprotocol of v2.", channel["x-subprotocol"]),
  ];
}

/** @param {Record<string, any>} document */
function tables(document) {
  const closes = document["x-close-codes"].map((/** @type {any} */ close) => {
    const row = { name: close.name, reason: close.reason, action: close.action };
    const what = `${close.description} Client: ${close.action_description}.`;
    return entry(close.code, what, row);
  });
  const errors = document["x-error-codes"].map((/** @type {any} */ error) => {
    const row = { status: error.http_status, retryable: error.retryable };
    return entry(error.code, error.description, row);
  });
  const limits = document["x-limits"].map((/** @type {any} */ limit) =>
    entry(limit.name, limit.description, limit.value),
  );
  return [
    table("CLOSE_CODES", "Every close code: its reason and what the client does.", closes),
    `/** A close code. */\nexport type CloseCode = keyof typeof CLOSE_CODES;\n`,
    `/** What a client does after a close. */\nexport type CloseAction = (typeof CLOSE_CODES)[CloseCode]["action"];\n`,
    table("ERROR_CODES", "Every error code: its HTTP status and whether to try again.", errors),
    table("PROTOCOL_LIMITS", "The limits that are the same on every server.", limits),
  ];
}

/**
 * @param {string} name
 * @param {string} description
 * @param {unknown} value
 */
function constant(name, description, value) {
  return `${comment(description)}export const ${name} = ${JSON.stringify(value)};\n`;
}

/**
 * @param {string} name
 * @param {string} description
 * @param {string[]} entries
 */
function table(name, description, entries) {
  return `${comment(description)}export const ${name} = {\n${entries.join("")}} as const;\n`;
}

/**
 * @param {string | number} key
 * @param {string} description
 * @param {unknown} value
 */
function entry(key, description, value) {
  return `${comment(description)}${key}: ${JSON.stringify(value)},\n`;
}
