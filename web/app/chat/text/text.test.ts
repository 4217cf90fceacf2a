import { expect, test } from "vitest";

import { isEmojiOnly } from "./emoji.ts";
import { safeLink } from "./links.ts";
import { parse } from "./markdown.ts";
import { formatterOf, loadFormatter } from "./markup.svelte.ts";
import type { Block, Inline } from "./nodes.ts";
import { excerpt } from "./plain.ts";

const ann = { userId: 7, name: "ann_b" };

/** Nodes as a short text: `strong(a) link[https://x/](x)`. */
function show(nodes: readonly (Block | Inline)[]): string {
  return nodes
    .map((node) => {
      switch (node.kind) {
        case "text":
          return node.text;
        case "break":
          return "⏎";
        case "code":
          return `code(${node.text})`;
        case "mention":
          return `mention${node.userId}(${node.name})`;
        case "link":
          return `link[${node.href}${node.host ? ` at ${node.host}` : ""}](${show(node.children)})`;
        case "paragraph":
          return `p(${show(node.children)})`;
        case "quote":
          return `quote(${show(node.blocks)})`;
        case "list":
          return `list${node.start ?? ""}(${node.items.map(show).join("|")})`;
        default:
          return `${node.kind}(${show(node.children)})`;
      }
    })
    .join("");
}

test.each([
  ["Hello there, 3 - 2 = 1!", "p(Hello there, 3 - 2 = 1!)"],
  ["one\ntwo", "p(one⏎two)"],
  ["**a** *b* ~~c~~ `d`", "p(strong(a) em(b) del(c) code(d))"],
  ["*one*\ntwo", "p(em(one)⏎two)"],
  ["one\n\ntwo", "p(one)p(two)"],
  ["snake_case_name", "p(snake_case_name)"],
  ["a \\*b\\*", "p(a *b*)"],
  ["- a\n- b", "list(p(a)|p(b))"],
  ["3. a\n4. b", "list3(p(a)|p(b))"],
  ["- [x] done", "list(p([x] done))"],
  ["> said\n\nanswer", "quote(p(said))p(answer)"],
  ["```js\nlet a = 1 < 2;\n```", "code(let a = 1 < 2;)"],
])("%j is %s", (text, expected) => {
  expect(show(parse(text))).toBe(expected);
});

test.each([
  ["# no heading", "p(# no heading)"],
  ["*a*\n===", "p(em(a)⏎===)"],
  ["---", "p(---)"],
  ["a <b>bold</b> &amp; <script>x</script>", "p(a <b>bold</b> &amp; <script>x</script>)"],
  ["<div>\nx\n</div>", "p(<div>⏎x⏎</div>)"],
  ["![alt](https://example.com/a.png)", "p(![alt](https://example.com/a.png))"],
  ["| a | b |\n| - | - |\n| *1* | 2 |", "p(| a | b |⏎| - | - |⏎| em(1) | 2 |)"],
  [
    "[a]: https://example.com\n\n[a]",
    "p([a]: link[https://example.com/](https://example.com))p([a])",
  ],
])("%j is shown as typed", (text, expected) => {
  expect(show(parse(text))).toBe(expected);
});

test.each([
  ["https://example.com/a?b#c", "p(link[https://example.com/a?b#c](https://example.com/a?b#c))"],
  ["www.example.com", "p(link[http://www.example.com/](www.example.com))"],
  ["mail a@example.com", "p(mail link[mailto:a@example.com](a@example.com))"],
  ["[docs](https://example.com/)", "p(link[https://example.com/ at example.com](docs))"],
  [
    "[https://bank.example](https://evil.example)",
    "p(link[https://evil.example/ at evil.example](https://bank.example))",
  ],
  ["[x](javascript:alert(1))", "p([x](javascript:alert(1)))"],
  ["[x](data:text/html,y)", "p([x](data:text/html,y))"],
  ["[x](/relative)", "p([x](/relative))"],
])("the link in %j is %s", (text, expected) => {
  expect(show(parse(text))).toBe(expected);
});

test("a look-alike host is shown in Punycode", () => {
  expect(safeLink("https://аpple.com", "https://аpple.com")?.host).toBe("xn--pple-43d.com");
  expect(safeLink("https://apple.com.evil.example/", "apple.com")?.host).toBe(
    "apple.com.evil.example",
  );
  expect(safeLink("https://a@evil.example/", "https://a")?.host).toBe("evil.example");
});

test("a mentioned member is found by name, and only as a whole word", () => {
  expect(show(parse("@ann_b, see @ann_bob and ann_b", [ann]))).toBe(
    "p(mention7(ann_b), see @ann_bob and ann_b)",
  );
  expect(show(parse("*@ann_b*", [ann]))).toBe("p(em(mention7(ann_b)))");
  expect(show(parse("`@ann_b`", [ann]))).toBe("p(code(@ann_b))");
  expect(show(parse("@ann_b", []))).toBe("p(@ann_b)");
});

test("of two names the longer one is mentioned", () => {
  const names = [ann, { userId: 8, name: "ann_b.c@x" }];
  expect(show(parse("@ann_b.c@x", names))).toBe("p(mention8(ann_b.c@x))");
});

test.each([">", "[", "*", "_", "`", "- ", "![", "**a ", "@", "<", "~", "\\", "[](", "1. "])(
  "4,000 characters of %j are parsed in time, as a few levels",
  (unit) => {
    const start = performance.now();
    const blocks = parse(unit.repeat(4000).slice(0, 4000), [ann]);
    expect(performance.now() - start).toBeLessThan(500);
    expect(depth(blocks)).toBeLessThan(8);
  },
);

function depth(blocks: readonly Block[]): number {
  const inner = blocks.map((block) => {
    if (block.kind === "quote") return depth(block.blocks);
    if (block.kind === "list") return Math.max(0, ...block.items.map(depth));
    return 0;
  });
  return 1 + Math.max(0, ...inner);
}

test.each(["👍", "❤️", "🎉🎉🎉", "👩‍👩‍👧‍👦 🇩🇪", "1️⃣", " 😀\n"])("%j is shown large", (text) => {
  expect(isEmojiOnly(text)).toBe(true);
});

test.each(["", "1", "12", "©", "👍 ok", "🎉🎉🎉🎉", "#", "™"])("%j is shown as text", (text) => {
  expect(isEmojiOnly(text)).toBe(false);
});

test("a text is shown as typed until the formatter is loaded", async () => {
  expect(formatterOf("**bold**")).toBeUndefined();
  expect(excerpt("**Hi**\n\n- a")).toBe("**Hi** - a");
  await loadFormatter();
  expect(formatterOf("**bold**")).toBeDefined();
});

test.each(["Hello there, 3 - 2 = 1!", "one\ntwo", "#1 | 2 & 3"])(
  "%j has no markup, so it needs no formatter",
  async (text) => {
    await loadFormatter();
    expect(formatterOf(text)).toBeUndefined();
    expect(show(parse(text)).replaceAll("⏎", "\n")).toBe(`p(${text})`);
  },
);

test("an excerpt is one line without markup, and not long", async () => {
  await loadFormatter();
  expect(excerpt("**Hi** _there_\n\n- a\n- [b](https://example.com)")).toBe("Hi there a · b");
  expect(excerpt("> said\n\n`x < y`")).toBe("said x < y");
  expect(excerpt("word ".repeat(200)).length).toBeLessThanOrEqual(241);
  expect(excerpt(`${"a".repeat(239)}👩‍👩‍👧`)).toBe(`${"a".repeat(239)}…`);
});
