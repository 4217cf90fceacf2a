/**
 * The lines of JSON between the torture run (`tests/chaos/src/sdk_process.rs`) and this process.
 * `client` is the number of a client in that run.
 */

/** What a client is to do. */
export type Order = { client: number } & (
  | { do: "open"; base_url: string; username: string; password: string; conversation: number }
  | { do: "send"; id: string; text: string }
  /** The program ends and starts again with the same storage. */
  | { do: "reload" }
  /** The user logs out and in again. */
  | { do: "relogin" }
  /** Reports the whole timeline, once it has everything up to here. */
  | { do: "show"; seq: number; number: number }
);

/** What happened to a client. */
export type Report =
  /** Logged in, and connected. */
  | { on: "opened" }
  /** A send was written to the network, for the first time or as a repeat. */
  | { on: "transmitted"; id: string }
  | {
      on: "stored";
      id: string;
      message_id: number;
      seq: number;
      number: number;
      duplicate: boolean;
    }
  | { on: "failed"; id: string; code: string; retryable: boolean }
  /** An event was applied. */
  | { on: "event"; seq: number }
  | { on: "reloaded" }
  /** A row of the timeline, as the application sees it. */
  | { on: "row"; message: unknown }
  /** The rows are complete; so many of them are no messages of the server. */
  | { on: "shown"; echoes: number; holes: number }
  | { on: "refused"; code: number }
  /** The server ended the login. */
  | { on: "signed_out"; code: string };
