import type { MemberEvent, Message, Outgoing, TimelineRow, User } from "@colloquy/sdk";
import { describe, expect, test } from "vitest";

import { ScrollAnchor, type Viewport } from "./anchor.ts";
import { wantedEdge, type EdgeView } from "./edges.ts";
import { TimelineItems, type Day, type MessageItem } from "./items.ts";
import { Unread } from "./unread.ts";

const user = { id: 1, username: "ann" } as User;

function message(number: number, sender: number, at: string, content = `m${number}`): TimelineRow {
  const message = {
    id: 100 + number,
    sender_id: sender,
    sender: sender === 1 ? "ann" : "bob",
    content,
    timestamp: `2026-03-${at}`,
    seq: number,
    number,
    version: 1,
  } satisfies Message;
  return { kind: "message", key: `message:${number}`, message, own: sender === 1 };
}

const member = (seq: number, at: string): TimelineRow => ({
  kind: "member",
  key: `member:${seq}`,
  event: { timestamp: `2026-03-${at}`, seq } as MemberEvent,
});

const hole = (from: number, to: number): TimelineRow => ({
  kind: "hole",
  key: `hole:${from}`,
  from,
  to,
});

const echo = (at: string): TimelineRow => ({
  kind: "echo",
  key: "own:x",
  outgoing: {
    text: "x",
    mentions: [],
    replyTo: null,
    createdAt: Date.parse(`2026-03-${at}`),
  } as unknown as Outgoing,
});

/** `[` begins a group and `]` ends it, `---` is the divider, days are lines. */
function drawing(days: readonly Day[]): string[] {
  return days.map(({ items }) =>
    items
      .map((item) => {
        if (item.kind === "unread") return "---";
        if (item.kind !== "message") return item.kind;
        return `${item.first ? "[" : ""}${item.text}${item.last ? "]" : ""}`;
      })
      .join(" "),
  );
}

const draw = (rows: TimelineRow[], unread: number | null = null) =>
  drawing(new TimelineItems().update(rows, user, unread));

describe("items", () => {
  test("messages of one sender within five minutes are a group", () => {
    expect(
      draw([
        message(1, 2, "02T10:00:00Z"),
        message(2, 2, "02T10:04:59Z"),
        message(3, 2, "02T10:09:59Z"),
        message(4, 1, "02T10:10:00Z"),
      ]),
    ).toEqual(["[m1 m2] [m3] [m4]"]);
  });

  test("an event, a hole, the divider and midnight end a group", () => {
    expect(
      draw(
        [
          message(1, 2, "02T10:00:00"),
          member(2, "02T10:00:01"),
          message(2, 2, "02T10:00:02"),
          hole(3, 9),
          message(10, 2, "02T23:59:59"),
          message(11, 2, "03T00:00:01"),
          message(12, 2, "03T00:00:02"),
          message(13, 2, "03T00:00:03"),
        ],
        13,
      ),
    ).toEqual(["[m1] member [m2] hole [m10]", "[m11 m12] --- [m13]"]);
  });

  test("an echo continues the group of the own message before it", () => {
    expect(draw([message(1, 1, "02T10:00:00Z"), echo("02T10:01:00Z")])).toEqual(["[m1 x]"]);
  });

  test("a hole at the start belongs to the day of what follows it", () => {
    expect(draw([hole(1, 4), message(5, 2, "02T10:00:00Z")])).toEqual(["hole [m5]"]);
  });

  test("a day that comes twice has two keys", () => {
    const rows = [
      message(1, 2, "02T10:00:00"),
      message(2, 2, "03T10:00:00"),
      message(3, 2, "02T10:00:00"),
    ];
    const keys = new TimelineItems().update(rows, user, null).map(({ key }) => key);
    expect(new Set(keys).size).toBe(3);
  });

  test("an item keeps its identity until its message or its place in the group changes", () => {
    const items = new TimelineItems();
    const rows = [message(1, 2, "02T10:00:00Z"), message(2, 2, "02T10:00:01Z")];
    const before = items.update(rows, user, null)[0]?.items ?? [];
    const [first, second] = rows.map((row) => ({ ...row }));
    const after =
      items.update([first!, second!, message(3, 2, "02T10:00:02Z")], user, null)[0]?.items ?? [];
    expect(after[0]).toBe(before[0]);
    expect(after[1]).not.toBe(before[1]);
    expect((after[1] as MessageItem).last).toBe(false);
  });
});

/** A list of rows with heights in a viewport of 100 pixels. */
class FakeViewport implements Viewport {
  top = 0;
  readonly height = 100;

  constructor(public rows: [key: string, height: number][]) {}

  get content(): number {
    return this.rows.reduce((sum, [, height]) => sum + height, 0);
  }

  #places() {
    let offset = -this.top;
    return this.rows.map(([key, height]) => {
      const place = { key, offset, height };
      offset += height;
      return place;
    });
  }

  visible() {
    return this.#places().filter(
      ({ offset, height }) => offset + height > 0 && offset < this.height,
    );
  }

  offsetOf(key: string) {
    return this.#places().find((place) => place.key === key)?.offset ?? null;
  }

  scrollBy(pixels: number) {
    this.top = Math.max(0, Math.min(this.top + pixels, this.content - this.height));
  }
}

describe("anchor", () => {
  const rows = (...keys: string[]): [string, number][] => keys.map((key) => [key, 50]);
  const setUp = (top: number) => {
    const viewport = new FakeViewport(rows("a", "b", "c", "d", "e", "f"));
    viewport.top = top;
    const anchor = new ScrollAnchor(viewport);
    anchor.hold(true);
    return { viewport, anchor };
  };

  test("rows above do not move what is read", () => {
    const { viewport, anchor } = setUp(60);
    viewport.rows = [...rows("x", "y", "z"), ...viewport.rows];
    anchor.restore();
    expect(viewport.offsetOf("b")).toBe(-10);
    expect(viewport.top).toBe(210);
  });

  test("a row that grows above the screen does not move what is read, one below neither", () => {
    const { viewport, anchor } = setUp(60);
    viewport.rows[0] = ["a", 80];
    viewport.rows[5] = ["f", 500];
    anchor.restore();
    expect(viewport.offsetOf("b")).toBe(-10);
  });

  test("if the first visible row is gone, the next one stays", () => {
    const { viewport, anchor } = setUp(60);
    viewport.rows = viewport.rows.filter(([key]) => key !== "b");
    anchor.restore();
    expect(viewport.offsetOf("c")).toBe(40);
  });

  test("at the end the end stays, also when it is only near", () => {
    const { viewport, anchor } = setUp(150);
    expect(anchor.atEnd).toBe(true);
    viewport.rows = [...viewport.rows, ...rows("g", "h", "i")];
    anchor.restore();
    expect(viewport.top).toBe(350);
  });

  test("80 pixels above the end is no longer the end", () => {
    const { viewport, anchor } = setUp(120);
    expect(anchor.atEnd).toBe(false);
    viewport.rows = [...viewport.rows, ...rows("g")];
    anchor.restore();
    expect(viewport.top).toBe(120);
  });

  test("a jump puts a row where it is asked for", () => {
    const { viewport, anchor } = setUp(200);
    anchor.holdRow("c", 30);
    expect(viewport.offsetOf("c")).toBe(30);
    anchor.holdEnd();
    expect(viewport.top).toBe(200);
  });
});

describe("edges", () => {
  const view: EdgeView = {
    top: 3000,
    height: 800,
    content: 8000,
    direction: "up",
    atStart: false,
    atEnd: false,
  };

  test.each<[string, Partial<EdgeView>, string | null]>([
    ["in the middle nothing is read", {}, null],
    ["two screens from the top, upwards", { top: 1599 }, "earlier"],
    ["two screens from the top, downwards", { top: 1599, direction: "down" }, null],
    ["at the start of the conversation", { top: 0, atStart: true }, null],
    ["two screens from the end, downwards", { top: 5601, direction: "down" }, "later"],
    ["at the end of the conversation", { top: 7200, direction: "down", atEnd: true }, null],
    [
      "a short window is filled from above",
      { top: 0, content: 500, direction: "none", atEnd: true },
      "earlier",
    ],
    ["a short window at the start is filled from below", { content: 500, atStart: true }, "later"],
    ["a short conversation is complete", { content: 500, atStart: true, atEnd: true }, null],
    ["a timeline that has left the page reads nothing", { top: 0, height: 0, content: 0 }, null],
  ])("%s", (_name, change, expected) => {
    expect(wantedEdge({ ...view, ...change })).toBe(expected);
  });

  test("on a high screen a page at one end does not call for one at the other", () => {
    const high = { ...view, height: 4000, content: 7200 };
    expect(wantedEdge({ ...high, top: 2000 })).toBe("earlier");
    // 60 of 240 rows came above and left below.
    expect(wantedEdge({ ...high, top: 2000 + 1800 })).toBe(null);
  });
});

describe("unread", () => {
  test("what comes while one reads further up is counted, until the end is seen", () => {
    const unread = new Unread();
    unread.shown(10, true);
    unread.shown(13, false);
    expect([unread.count(13), unread.first(13), unread.divider]).toEqual([3, 11, null]);
    unread.shown(13, true);
    expect(unread.count(13)).toBe(0);
  });

  test("the divider is above what came while the window was away", () => {
    const unread = new Unread();
    unread.shown(10, true);
    unread.left();
    unread.shown(12, true);
    unread.returned(13);
    expect(unread.divider).toBe(11);
    unread.shown(13, true);
    expect([unread.divider, unread.count(13)]).toEqual([11, 0]);
    unread.left();
    unread.returned(13);
    expect(unread.divider).toBe(11);
    unread.sent();
    expect(unread.divider).toBe(null);
  });

  test("a shorter history starts again", () => {
    const unread = new Unread();
    unread.shown(10, true);
    unread.shown(4, false);
    expect(unread.count(5)).toBe(1);
  });
});
