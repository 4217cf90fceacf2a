/** REST operations on accounts and logins. One function per operation. */
import type { Result } from "../result.js";
import type {
  LoginRequest,
  LoginResponse,
  RefreshResponse,
  RegisterRequest,
  User,
} from "../wire/api.js";
import type { Http } from "./http.js";

export const register = (http: Http, body: RegisterRequest): Promise<Result<User>> =>
  http.send({ method: "POST", path: "/api/users/register/", body, auth: false });

export const login = (http: Http, body: LoginRequest): Promise<Result<LoginResponse>> =>
  http.send({ method: "POST", path: "/api/users/login/", body, auth: false });

/** Replaces both tokens. Within 60 seconds the same token gives the same pair. */
export const refresh = (http: Http, token: string): Promise<Result<RefreshResponse>> =>
  http.send({
    method: "POST",
    path: "/api/users/token/refresh/",
    body: { refresh: token },
    auth: false,
  });

/** Ends the session of this refresh token. The request carries its access token too. */
export const logout = (http: Http, token: string): Promise<Result<void>> =>
  http.send({ method: "POST", path: "/api/users/logout/", body: { refresh: token } });

export const profile = (http: Http): Promise<Result<User>> =>
  http.send({ method: "GET", path: "/api/users/profile/" });
