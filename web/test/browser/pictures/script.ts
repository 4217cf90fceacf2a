// The people and conversations of the pictures in the documents. All of them are made up.
//
// Times are those of the pictures and not of the run: the same pictures show the same.
export interface Person {
  readonly first: string;
  readonly last: string;
  readonly username: string;
}

export const PEOPLE = {
  maria: { first: "Maria", last: "Sommer", username: "maria.sommer" },
  jonas: { first: "Jonas", last: "Weber", username: "jonas.weber" },
  elif: { first: "Elif", last: "Kaya", username: "elif.kaya" },
  yuki: { first: "Yuki", last: "Tanaka", username: "yuki.tanaka" },
  tom: { first: "Tom", last: "Okafor", username: "tom.okafor" },
  ann: { first: "Ann-Kathrin", last: "Berg", username: "annkathrin.berg" },
  ali: { first: "علي", last: "حسن", username: "ali.hassan" },
  clara: { first: "Clara", last: "Lindqvist", username: "clara.lindqvist" },
} satisfies Record<string, Person>;

export type Name = keyof typeof PEOPLE;

/** Whose screen the pictures show. */
export const ME: Name = "maria";

/** The local time of the pictures. */
export const ZONE = "Europe/Berlin";
export const NOW = "2026-03-06T09:41:00+01:00";

const today = (time: string): string => `2026-03-06T${time}:00+01:00`;
const yesterday = (time: string): string => `2026-03-05T${time}:00+01:00`;

export interface Line {
  readonly by: Name;
  readonly at: string;
  readonly text: string;
  /** The text of the message that is answered. */
  readonly to?: string;
  readonly mentions?: Name;
  /** The text before it was edited. */
  readonly before?: string;
}

export interface Talk {
  readonly name?: string;
  readonly members: readonly Name[];
  readonly lines: readonly Line[];
}

/** A talk of two people of which only the end is seen, in the list. */
const direct = (by: Name, at: string, text: string, other: Name = by): Talk => ({
  members: [other],
  lines: [{ by, at, text }],
});

const QUESTION =
  "Booked: six beds, half board. Two things are open:\n\n1. who brings a gas stove\n2. who reads the avalanche report on Friday morning";

/** The conversation that the pictures open. */
export const HUT: Talk = {
  name: "Hut weekend, 13–15 March",
  members: ["jonas", "elif", "yuki", "tom", "ann"],
  lines: [
    {
      by: "jonas",
      at: yesterday("18:02"),
      text: "The hut has eight places left for the second weekend of March. Shall I take six?",
    },
    { by: "maria", at: yesterday("18:04"), text: "Yes please! Yuki is in, I asked her at lunch." },
    {
      by: "elif",
      at: yesterday("18:20"),
      text: "In. I can drive four people, leaving Jena on Friday at 14:30.",
      before: "In. I can drive three people, leaving Jena on Friday at 14:30.",
    },
    { by: "jonas", at: today("08:41"), text: QUESTION },
    {
      by: "yuki",
      at: today("08:47"),
      text: "I have a small stove and two cartridges 🔥",
      to: QUESTION,
    },
    {
      by: "tom",
      at: today("09:10"),
      text: "I read the report **every** morning anyway, I'll post it here. @maria.sommer could you bring the radios from the club?",
      mentions: "maria",
    },
    { by: "maria", at: today("09:12"), text: "Will do, they are charging already." },
    {
      by: "ann",
      at: today("09:34"),
      text: "The route I would take, 900 m up and mostly in the forest: https://maps.example.org/route/4417",
    },
    { by: "elif", at: today("09:36"), text: "🎿🏔️" },
  ],
};

/** From the newest to the oldest, below the one that is open. */
export const TALKS: readonly Talk[] = [
  direct("jonas", today("09:15"), "Did you get the 9:05 or the 9:35?"),
  {
    name: "Choir board",
    members: ["clara", "tom"],
    lines: [{ by: "clara", at: today("08:02"), text: "The hall is free on Thursdays from seven." }],
  },
  direct("yuki", yesterday("21:18"), "The photos from Sunday are up 📷"),
  {
    name: "Kitchen rota",
    members: ["tom", "ann", "ali"],
    lines: [
      {
        by: "tom",
        at: yesterday("16:40"),
        text: "I swapped with Ann-Kathrin, so I have Friday now.",
      },
    ],
  },
  direct("ali", "2026-03-04T19:22:00+01:00", "شكرا جزيلا، أراك يوم السبت"),
  direct(
    "maria",
    "2026-03-03T12:05:00+01:00",
    "Received in one piece, thank you so much!",
    "clara",
  ),
  {
    name: "Climbing on Tuesdays",
    members: ["elif", "jonas", "yuki", "ali"],
    lines: [
      {
        by: "elif",
        at: "2026-03-03T08:30:00+01:00",
        text: "Hall two is closed today, we meet in hall one.",
      },
    ],
  },
  direct("ann", "2026-02-27T18:11:00+01:00", "Let's talk about the flat on Monday?"),
  {
    name: "Allotment 17",
    members: ["clara", "ali"],
    lines: [
      {
        by: "clara",
        at: "2026-02-24T10:00:00+01:00",
        text: "The tomatoes are on the window sill 🍅",
      },
    ],
  },
];

/** When everything else happened: accounts, conversations, members. */
export const BEFORE = "2026-02-20T17:00:00+01:00";

const TIMES = new Map(
  [HUT, ...TALKS].flatMap(({ lines }) =>
    lines.flatMap(({ text, before, at }) => [
      [text, at] as const,
      ...(before === undefined ? [] : [[before, at] as const]),
    ]),
  ),
);

/** When a message was sent, by its text; `BEFORE` for what is no message of the script. */
export const timeOf = (text: unknown): string =>
  new Date((typeof text === "string" ? TIMES.get(text) : undefined) ?? BEFORE)
    .toISOString()
    .replace("Z", "+00:00");
