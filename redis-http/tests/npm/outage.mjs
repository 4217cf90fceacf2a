// Redis is unavailable: @upstash/redis, with its default retries, must report the error at once.

import assert from "node:assert/strict";
import { Redis } from "@upstash/redis";

const { PROXY_URL: url, PROXY_TOKEN: token } = process.env;
const redis = new Redis({ url, token });
const started = performance.now();
await assert.rejects(redis.get("key"), { name: "UpstashError", message: /^ERR redis is not reachable/ });
await assert.rejects(redis.pipeline().get("key").exec(), /ERR redis is not reachable/);
await assert.rejects(redis.multi().get("key").exec(), /ERR redis is not reachable/);
assert.ok(performance.now() - started < 2000, "reported too late");
