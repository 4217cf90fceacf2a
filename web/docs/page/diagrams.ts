// The sequences that the socket's page draws, and where each line and word of a drawing is.

export interface Step {
  /** Indexes of the actors. The same twice is something an actor does by itself. */
  readonly from: number;
  readonly to: number;
  readonly text: string;
  /** The frame never arrives. */
  readonly lost?: boolean;
}

export interface Diagram {
  readonly id: string;
  readonly title: string;
  readonly steps: readonly Step[];
  readonly caption: string;
}

const [CLIENT, SERVER] = [0, 1];
export const ACTORS = ["Client", "Server"] as const;

export const DIAGRAMS: readonly Diagram[] = [
  {
    id: "diagram.send",
    title: "Send",
    steps: [
      { from: CLIENT, to: SERVER, text: "send, id A" },
      { from: SERVER, to: SERVER, text: "stores it as seq 843" },
      { from: SERVER, to: SERVER, text: "broadcasts it" },
      { from: SERVER, to: CLIENT, text: "ack A", lost: true },
      { from: CLIENT, to: SERVER, text: "send, id A again" },
      { from: SERVER, to: CLIENT, text: "ack A, duplicate: true" },
    ],
    caption:
      "A missing ack is not a failure. The client repeats the send under the same id, and it is stored once.",
  },
  {
    id: "diagram.resume",
    title: "Resume",
    steps: [
      { from: CLIENT, to: SERVER, text: "connect, chat.v2" },
      { from: SERVER, to: CLIENT, text: "hello, seq 846" },
      { from: CLIENT, to: SERVER, text: "resume since 842" },
      { from: SERVER, to: CLIENT, text: "events 843 to 846" },
      { from: SERVER, to: CLIENT, text: "sync, complete" },
      { from: SERVER, to: CLIENT, text: "live events from 847" },
    ],
    caption: "The client names the last event it has and receives exactly those that it missed.",
  },
  {
    id: "diagram.reset",
    title: "Reset",
    steps: [
      { from: CLIENT, to: SERVER, text: "resume since 42" },
      { from: SERVER, to: CLIENT, text: "reset too_old, seq 1843" },
      { from: CLIENT, to: SERVER, text: "GET history over REST" },
      { from: SERVER, to: CLIENT, text: "the newest messages" },
      { from: SERVER, to: CLIENT, text: "live events from 1844" },
    ],
    caption:
      "More than 300 missed events are not sent. The client reads the history again, and live delivery continues.",
  },
  {
    id: "diagram.token",
    title: "New token",
    steps: [
      { from: SERVER, to: CLIENT, text: "auth.expiring, in_s 60" },
      { from: CLIENT, to: SERVER, text: "POST token/refresh/" },
      { from: SERVER, to: CLIENT, text: "access and refresh" },
      { from: CLIENT, to: SERVER, text: "auth, the new token" },
      { from: SERVER, to: CLIENT, text: "auth.ok" },
    ],
    caption: "The socket stays open. Without a new token it is closed with 4200.",
  },
];

export const LANE = 170;
export const ROW = 40;
export const TOP = 44;

export const laneOf = (actor: number): number => LANE / 2 + actor * LANE;
export const rowOf = (step: number): number => TOP + 28 + step * ROW;
export const WIDTH = ACTORS.length * LANE;
export const heightOf = ({ steps }: Diagram): number => rowOf(steps.length - 1) + 20;

/** The whole drawing in words. */
export function wordsOf({ title, steps }: Diagram): string {
  const lines = steps.map(({ from, to, text, lost }) => {
    const who = from === to ? ACTORS[from] : `${ACTORS[from]} to ${ACTORS[to]}`;
    return `${who}: ${text}${lost ? " (lost)" : ""}`;
  });
  return `${title}. ${lines.join("; ")}.`;
}
