// Redis is away: @upstash/redis, with its default retries, must be told at once and in words.

import assert from "node:assert/strict";
import { Redis } from "@upstash/redis";

const { PROXY_URL: url, PROXY_TOKEN: token } = process.env;
const redis = new Redis({ url, token });
const begun = performance.now();
await assert.rejects(redis.get("key"), { name: "UpstashError", message: /^ERR redis is not reachable/ });
await assert.rejects(redis.pipeline().get("key").exec(), /ERR redis is not reachable/);
await assert.rejects(redis.multi().get("key").exec(), /ERR redis is not reachable/);
assert.ok(performance.now() - begun < 2000, "told too late");
