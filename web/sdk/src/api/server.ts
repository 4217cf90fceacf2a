/** REST operations on the server itself. */
import type { Result } from "../result.js";
import type { ConfigResponse, HealthResponse, StatusResponse } from "../wire/api.js";
import type { Http } from "./http.js";

/** What a client must know before a login: version, registration, functions, limits. */
export const config = (http: Http): Promise<Result<ConfigResponse>> =>
  http.send({ method: "GET", path: "/api/config/", auth: false });

export const health = (http: Http): Promise<Result<HealthResponse>> =>
  http.send({ method: "GET", path: "/health/", auth: false });

export const live = (http: Http): Promise<Result<StatusResponse>> =>
  http.send({ method: "GET", path: "/health/live/", auth: false });

export const ready = (http: Http): Promise<Result<StatusResponse>> =>
  http.send({ method: "GET", path: "/health/ready/", auth: false });

/** The OpenAPI document: every route. */
export const openapi = (http: Http): Promise<Result<unknown>> =>
  http.send({ method: "GET", path: "/api/openapi.json", auth: false });

/** The AsyncAPI document: every frame of the sockets. */
export const asyncapi = (http: Http): Promise<Result<unknown>> =>
  http.send({ method: "GET", path: "/api/asyncapi.json", auth: false });
