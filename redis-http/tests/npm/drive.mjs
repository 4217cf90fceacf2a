// Runs @upstash/redis, as published, against the proxy: with and without base64 encoding, with and
// without automatic pipelining (without it each command is a `POST /`), with and without JSON
// deserialization. A failed assertion ends the process.

import assert from "node:assert/strict";
import { Redis } from "@upstash/redis";

const { PROXY_URL: url, PROXY_TOKEN: token } = process.env;

const strings = [
  "",
  "OK",
  "plain",
  "naïve café, 日本語, العربية",
  "👩‍👩‍👧 \u{10ffff}",
  "quote \" backslash \\ newline \n tab \t",
  "null \u0000, unit separator \u001f, del \u007f, \u0080\u00ff, \ufeff bom, \ufffd",
  "T0s=",
  "YmFy",
  '{"json":[1,"two",null]}',
  "12345678901234567890",
  "x".repeat(100_000),
];

async function stringsRoundTrip(redis) {
  for (const value of strings) {
    assert.equal(await redis.set("string", value), "OK");
    assert.equal(await redis.get("string"), value);
  }
  await redis.rpush("list", ...strings);
  assert.deepEqual(await redis.lrange("list", 0, -1), strings);
  await redis.del("list");
  assert.equal(await redis.get("none"), null);
}

async function objectsRoundTrip(redis) {
  const value = { text: "日本", list: [1, null, { deep: true }], number: 1.5 };
  await redis.set("object", value);
  assert.deepEqual(await redis.get("object"), value);
  await redis.hset("hash", { name: "Ada", age: 36, tags: ["a", "b"] });
  assert.deepEqual(await redis.hgetall("hash"), { name: "Ada", age: 36, tags: ["a", "b"] });
  assert.equal(await redis.hgetall("none"), null);
}

async function numbersExpiryAndConditions(redis) {
  assert.equal(await redis.incrby("counter", 41), 41);
  assert.equal(await redis.incr("counter"), 42);
  assert.equal(await redis.set("once", "a", { nx: true, ex: 100 }), "OK");
  assert.equal(await redis.set("once", "b", { nx: true }), null);
  const ttl = await redis.ttl("once");
  assert.ok(ttl > 90 && ttl <= 100);
  assert.equal(await redis.exists("once", "counter", "none"), 2);
}

async function sortedSets(redis) {
  const members = [
    { score: 1, member: "one" },
    { score: 2.5, member: "two and a half" },
    { score: Number.MAX_SAFE_INTEGER, member: "many" },
  ];
  assert.equal(await redis.zadd("set", ...members), 3);
  assert.deepEqual(await redis.zrange("set", 0, -1), ["one", "two and a half", "many"]);
  assert.deepEqual(
    await redis.zrange("set", 0, -1, { withScores: true }),
    members.flatMap(({ score, member }) => [member, score]),
  );
  assert.deepEqual(await redis.zrange("set", 2, "(1", { byScore: true, rev: true }), []);
  assert.deepEqual(await redis.zrange("set", "(1", "+inf", { byScore: true, offset: 0, count: 1 }), [
    "two and a half",
  ]);
  assert.equal(await redis.zscore("set", "many"), Number.MAX_SAFE_INTEGER);
  assert.equal(await redis.zscore("set", "none"), null);
}

async function pipelines(redis) {
  const results = await redis.pipeline().set("p", "v").incr("n").get("p").get("none").exec();
  assert.deepEqual(results, ["OK", 1, "v", null]);

  const failing = redis.pipeline().set("p", "v").lpush("p", "x").get("p");
  const kept = await failing.exec({ keepErrors: true });
  assert.deepEqual(kept.map(({ result }) => result ?? null), ["OK", null, "v"]);
  assert.match(kept[1].error, /^WRONGTYPE /);
  await assert.rejects(failing.exec(), /Command 2 \[ lpush \] failed: WRONGTYPE /);
}

async function transactions(redis) {
  assert.deepEqual(await redis.multi().set("t", "v").incr("tn").get("t").exec(), ["OK", 1, "v"]);
  const broken = redis.multi().set("refused", "v").eval("return 1", [], []);
  // The client's own methods enforce the arity of a command; `chain` does not.
  broken.chain({ command: ["get"], deserialize: (value) => value });
  await assert.rejects(broken.exec(), /EXECABORT .*wrong number of arguments/);
  assert.equal(await redis.get("refused"), null);
  // Concurrent callers share the proxy's connection, but not each other's transactions.
  await Promise.all(
    Array.from({ length: 50 }, (_, index) => redis.multi().set(`m${index}`, "v").get(`m${index}`).exec()),
  );
  assert.equal((await redis.keys("m*")).length, 50);
}

async function scripts(redis) {
  const guarded = `
    local current = tonumber(redis.call('HGET', KEYS[1], 'seq') or '-1')
    if current >= tonumber(ARGV[1]) then return {0, current} end
    redis.call('HSET', KEYS[1], 'seq', ARGV[1], 'body', ARGV[2])
    return {1, ARGV[2], redis.call('SET', KEYS[1] .. ':mark', 'x'), false}`;
  assert.deepEqual(await redis.eval(guarded, ["g"], [7, "日本"]), [1, "日本", "OK", null]);
  assert.deepEqual(await redis.eval(guarded, ["g"], [6, "old"]), [0, 7]);
  const script = redis.createScript("return redis.call('INCR', KEYS[1])");
  assert.equal(await script.exec(["scripted"], []), 1);
  assert.equal(await script.exec(["scripted"], []), 2);
  assert.equal(await redis.eval("return 'OK'", [], []), "OK");
  await assert.rejects(redis.eval("return redis.error_reply('MINE is mine')", [], []), /MINE is mine/);
}

async function scans(redis) {
  const found = [];
  let cursor = "0";
  do {
    const [next, keys] = await redis.scan(cursor, { match: "m*", count: 10 });
    cursor = next;
    found.push(...keys);
  } while (cursor !== "0");
  assert.equal(new Set(found).size, 50);
}

async function failures(redis) {
  await redis.set("text", "v");
  await assert.rejects(redis.lpush("text", "x"), { name: "UpstashError", message: /WRONGTYPE / });
  await assert.rejects(redis.exec(["SUBSCRIBE", "c"]), /ERR SUBSCRIBE is not served over HTTP/);
  await assert.rejects(redis.exec(["NOSUCHCOMMAND"]), /ERR unknown command/);
  const unauthorized = new Redis({ url, token: "wrong" });
  await assert.rejects(unauthorized.get("text"), { name: "UpstashError", message: /^Unauthorized/ });
  await assert.rejects(unauthorized.pipeline().get("text").exec(), /^UpstashError: Unauthorized/);
}

for (const options of [
  {},
  { responseEncoding: false },
  { enableAutoPipelining: false },
  { enableAutoPipelining: false, responseEncoding: false },
]) {
  const exact = new Redis({ url, token, ...options, automaticDeserialization: false });
  const redis = new Redis({ url: `${url}/`, token, ...options });
  await redis.flushdb();
  await stringsRoundTrip(exact);
  for (const part of [
    objectsRoundTrip,
    numbersExpiryAndConditions,
    sortedSets,
    pipelines,
    transactions,
    scripts,
    scans,
    failures,
  ]) {
    await part(redis);
    console.log(`${part.name} passed with ${JSON.stringify(options)}`);
  }
}
