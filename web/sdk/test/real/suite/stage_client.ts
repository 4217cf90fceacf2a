/** What only the test process can do: proxies and signals to the server. Asked for over HTTP. */

/** A TCP proxy in front of a server. */
export interface Line {
  readonly url: string;
  /** Ends every connection with a reset. */
  cut(): Promise<void>;
  /** Accepts nothing until `open`. */
  close(): Promise<void>;
  open(): Promise<void>;
  /** Passes nothing on the connections that are open now, which stay open. */
  silence(): Promise<void>;
  end(): Promise<void>;
}

export async function line(stage: string): Promise<Line> {
  const { id, url } = (await ask(stage, "/lines")) as { id: number; url: string };
  const act = (action: string) => async (): Promise<void> => {
    await ask(stage, `/lines/${id}/${action}`);
  };
  return {
    url,
    cut: act("cut"),
    close: act("close"),
    open: act("open"),
    silence: act("silence"),
    end: act("end"),
  };
}

/** Resolves when the server answers again. */
export async function server(stage: string, action: "kill" | "restart"): Promise<void> {
  await ask(stage, `/server/${action}`);
}

async function ask(stage: string, path: string): Promise<unknown> {
  const answer = await fetch(stage + path, { method: "POST" });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}
