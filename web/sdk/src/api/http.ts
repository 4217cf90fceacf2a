/**
 * One HTTP request as a `Result`: authorization, JSON, timeout, errors in the shape of the
 * protocol. Repeats nothing, except once with a new token.
 */
import { systemClock } from "../platform/clock.js";
import type { Clock } from "../platform/ports.js";
import { fail, ok, type ChatError, type ErrorCode, type Result } from "../result.js";

const TIMEOUT_MS = 35_000;

export interface HttpOptions {
  baseUrl: string;
  fetch?: typeof fetch;
  clock?: Clock;
  /** Returns the access token; with `refused`, a newer one than that, or `null`. */
  access?: (refused?: string) => Promise<Result<string>>;
  /** Changes with every login: a request of one is not continued with the token of another. */
  login?: () => number;
  /** A renewed token was refused too. */
  rejected?: (code: ErrorCode) => void;
}

export interface HttpRequest {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Path and query, from the root of `baseUrl`. */
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
  /** `false`: send no token. */
  auth?: boolean;
}

export interface HttpAnswer {
  status: number;
  body: unknown;
  /** The address of the next page, relative to the request. */
  next: string | null;
}

export class Http {
  readonly #base: string;
  readonly #fetch: typeof fetch;
  readonly #clock: Clock;

  constructor(readonly options: HttpOptions) {
    this.#base = options.baseUrl.replace(/\/+$/, "");
    // Called as a function: `fetch` of a browser may not have another `this`.
    const send = options.fetch ?? fetch;
    this.#fetch = (input, init) => send(input, init);
    this.#clock = options.clock ?? systemClock;
  }

  async request(request: HttpRequest): Promise<Result<HttpAnswer>> {
    const { access, login } = this.options;
    if (!access || request.auth === false) return this.#attempt(request, null);
    const began = login?.();
    const token = await access();
    if (!token.ok) return token;
    const first = await this.#attempt(request, token.value);
    if (first.ok || !TOKEN_CODES.has(first.error.code)) return first;
    const renewed = await access(token.value);
    if (!renewed.ok) return renewed;
    if (login?.() !== began) return fail("signed_out", "The login is over.");
    const second = await this.#attempt(request, renewed.value);
    if (!second.ok && TOKEN_CODES.has(second.error.code))
      this.options.rejected?.(second.error.code);
    return second;
  }

  /** Performs a request whose body is the result. */
  async send<T>(request: HttpRequest): Promise<Result<T>> {
    const answer = await this.request(request);
    // The body has the type that the OpenAPI document gives the operation.
    return answer.ok ? ok(answer.value.body as T) : answer;
  }

  async #attempt(request: HttpRequest, token: string | null): Promise<Result<HttpAnswer>> {
    const abort = new AbortController();
    const cancel = this.#clock.after(TIMEOUT_MS, () => abort.abort());
    try {
      const headers: Record<string, string> = { ...request.headers };
      if (token) headers["authorization"] = `Bearer ${token}`;
      const init: RequestInit = { method: request.method, headers, signal: abort.signal };
      if (request.body !== undefined) {
        headers["content-type"] = "application/json";
        init.body = JSON.stringify(request.body);
      }
      const response = await this.#fetch(this.#base + request.path, init);
      return toResult(response, await response.text());
    } catch {
      return fail("network", "The server does not answer.", { retryable: true });
    } finally {
      cancel();
    }
  }
}

const TOKEN_CODES = new Set<ErrorCode>(["token_expired", "token_invalid", "session_revoked"]);

/** The statuses of answers without a body. */
const EMPTY = new Set([204, 205]);

function toResult(response: Response, text: string): Result<HttpAnswer> {
  const body = parse(text);
  // A network that wants a login of its own answers everything, often with nothing.
  const expected = EMPTY.has(response.status) ? text === "" : body instanceof Object;
  if (response.ok && expected) {
    const link = response.headers.get("link") ?? "";
    const next = /<([^>]*)>;\s*rel="?next"?/.exec(link)?.[1] ?? null;
    return ok({ status: response.status, body, next });
  }
  return { ok: false, error: toError(response, body) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function toError(response: Response, body: unknown): ChatError {
  if (!isRecord(body) || typeof body["code"] !== "string") {
    const message = `The server answered ${response.status}.`;
    const retryable = response.status >= 500 || response.status === 429;
    return fail("unexpected", message, { retryable }).error;
  }
  const { code, detail, request_id, retry_after_ms, ...rest } = body;
  const { status } = response;
  const error: ChatError = {
    code: code as ErrorCode,
    message: typeof detail === "string" ? detail : firstSentence(rest),
    retryable: status === 408 || status === 429 || status >= 500,
  };
  const seconds = response.headers.get("retry-after");
  if (typeof retry_after_ms === "number") error.retryAfterMs = retry_after_ms;
  else if (seconds && Number(seconds) >= 0) error.retryAfterMs = Number(seconds) * 1000;
  if (typeof request_id === "string") error.requestId = request_id;
  if (code === "invalid") error.fields = rest as Record<string, string[]>;
  return error;
}

const firstSentence = (fields: Record<string, unknown>): string =>
  String(Object.values(fields).flat()[0] ?? "The request is not valid.");

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
