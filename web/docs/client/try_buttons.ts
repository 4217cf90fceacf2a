// The buttons that open "try it" and the console. Their code is loaded by the first press.

type Opener = (target: HTMLElement) => Promise<void>;

export function addTryButtons(part: ParentNode): void {
  for (const target of part.querySelectorAll<HTMLElement>("[data-try]")) {
    addButton(target, "Try it", async (place) => {
      const { openTry } = await import("../try/open.ts");
      await openTry(place, target.dataset["try"] ?? "");
    });
  }
  const sockets = part.querySelector<HTMLElement>('[data-slot="console"]');
  if (sockets) {
    addButton(sockets, "Open the console", async (place) => {
      await (await import("../try/open.ts")).openConsole(place);
    });
  }
}

function addButton(target: HTMLElement, text: string, open: Opener): void {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "open";
  button.textContent = text;
  button.addEventListener("click", () => {
    button.setAttribute("aria-busy", "true");
    open(target).then(
      () => button.remove(),
      () => {
        button.removeAttribute("aria-busy");
        button.textContent = "Not loaded. Try again";
      },
    );
  });
  target.append(button);
}
