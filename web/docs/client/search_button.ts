// The button in the place of the search. A press of it, or of `/`, loads the search, which takes its place.

export function addSearchButton(): void {
  const slot = document.querySelector<HTMLElement>('[data-slot="search"]');
  if (!slot) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "find";
  button.setAttribute("aria-keyshortcuts", "/");
  button.append("Search", keyOf("/"));

  const open = async () => {
    const { openSearch } = await import("./open_search.ts");
    removeEventListener("keydown", bySlash);
    openSearch(slot);
  };
  const bySlash = (event: KeyboardEvent) => {
    if (!isSearchKey(event)) return;
    event.preventDefault();
    void open();
  };
  button.addEventListener("click", () => void open());
  addEventListener("keydown", bySlash);
  slot.append(button);
}

/** Whether `/` was pressed where it is no text. */
export function isSearchKey({ key, target, ctrlKey, metaKey, altKey }: KeyboardEvent): boolean {
  const isText =
    target instanceof Element && target.closest("input:not([type=radio]), textarea, select");
  return key === "/" && !isText && !ctrlKey && !metaKey && !altKey;
}

function keyOf(name: string): HTMLElement {
  const key = document.createElement("kbd");
  key.textContent = name;
  key.ariaHidden = "true";
  return key;
}
