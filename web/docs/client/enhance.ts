// What scripts add to a part of the page: the address of this server in the examples, tabs that change together,
// buttons that copy, and buttons that open "try it". Called again for every part that is rendered again.
import { copyText } from "../../ui/clipboard.ts";
import { ORIGIN } from "../page/origin.ts";
import { addTryButtons } from "./try_buttons.ts";

export function enhance(part: ParentNode): void {
  showOwnAddress(part);
  addCopyButtons(part);
  chooseTabs(part);
  addTryButtons(part);
}

/** Examples are written for the address of a server that has just been started. */
function showOwnAddress(part: ParentNode): void {
  const { origin, host, protocol } = location;
  if (origin === ORIGIN) return;
  const written = new URL(ORIGIN).host;
  const socket = protocol === "https:" ? "wss" : "ws";
  for (const code of part.querySelectorAll("pre code")) {
    const texts = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const node = texts.currentNode as Text;
      if (!node.data.includes(written)) continue;
      node.data = node.data
        .replaceAll(`http://${written}`, origin)
        .replaceAll(`ws://${written}`, `${socket}://${host}`);
    }
  }
}

function addCopyButtons(part: ParentNode): void {
  for (const block of part.querySelectorAll<HTMLElement>(".code")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    // Screen readers announce what the press has changed it to.
    button.ariaLive = "polite";
    button.textContent = "Copy";
    button.addEventListener("click", () => void copy(block, button));
    block.append(button);
  }
}

async function copy(block: HTMLElement, button: HTMLElement): Promise<void> {
  const shown = [...block.querySelectorAll("pre")].find((pre) => pre.checkVisibility());
  const done = await copyText(shown?.textContent ?? "");
  button.textContent = done ? "Copied" : "Not copied";
  setTimeout(() => (button.textContent = "Copy"), 2_000);
}

/** The language chosen in one example is that of all examples that have it. */
let chosen: string | undefined;

function chooseTabs(part: ParentNode): void {
  if (chosen !== undefined) check(part, chosen);
  const tabs = part.querySelectorAll<HTMLInputElement>(".tabs input");
  for (const tab of tabs) {
    tab.addEventListener("change", () => {
      chosen = tab.value;
      const before = tab.getBoundingClientRect().top;
      check(document, tab.value);
      // Examples above have changed their height: what the reader looks at stays where it is.
      scrollBy(0, tab.getBoundingClientRect().top - before);
    });
  }
}

function check(part: ParentNode, value: string): void {
  for (const tab of part.querySelectorAll<HTMLInputElement>(".tabs input")) {
    if (tab.value === value) tab.checked = true;
  }
}
