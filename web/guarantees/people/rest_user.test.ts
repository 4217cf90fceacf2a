import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { Line } from "../line/line.ts";
import { RestUser } from "./rest_user.ts";

const answer = (status: number, body: object) => new Response(JSON.stringify(body), { status });
const LOGIN = { access: "a", refresh: "r", user: { id: 1, username: "ann" } };

let refresh: () => Response;
let user: RestUser;

beforeEach(async () => {
  vi.stubGlobal("location", { origin: "http://server" });
  const fetch = async (url: string) => (url.endsWith("/login/") ? answer(200, LOGIN) : refresh());
  user = new RestUser({ username: "ann", password: "p" }, { fetch } as unknown as Line);
  await user.logIn();
});
afterEach(() => void vi.unstubAllGlobals());

const expired = { ok: false, error: { code: "token_expired", message: "", retryable: false } };

test("a login that is over is a result, so that the ledger goes on", async () => {
  refresh = () =>
    answer(401, { code: "session_revoked", detail: "This session has been revoked." });
  const asked = user.ask(async () => expired as never);
  await expect(asked).resolves.toMatchObject({ ok: false, error: { code: "signed_out" } });
});

test("a request with a token that is too old is made again with a new one", async () => {
  refresh = () => answer(200, { access: "b", refresh: "s" });
  const tokens: (string | undefined)[] = [];
  const asked = await user.ask(async (http) => {
    const token = await http.options.access?.();
    tokens.push(token?.ok ? token.value : undefined);
    return (tokens.length === 1 ? expired : { ok: true, value: 7 }) as never;
  });
  expect(asked).toEqual({ ok: true, value: 7 });
  expect(tokens).toEqual(["a", "b"]);
});
