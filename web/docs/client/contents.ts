// The column of contents: it marks what is read, and closes where it is a menu.

/** On a narrow window the contents are a popover, which stays open when a link in it is followed. */
export function closeMenuOnChoice(): void {
  const nav = document.getElementById("nav");
  nav?.addEventListener("click", ({ target }) => {
    if (target instanceof Element && target.closest("a") && nav.matches(":popover-open")) {
      nav.hidePopover();
    }
  });
}

/** Marks the link of the last entry whose top has passed the upper third of the window. */
export function followReading(): void {
  let scheduled = false;
  const update = () => {
    scheduled = false;
    mark();
  };
  addEventListener(
    "scroll",
    () => {
      if (scheduled) return;
      scheduled = true;
      requestAnimationFrame(update);
    },
    { passive: true },
  );
  mark();
}

function mark(): void {
  const links = [...document.querySelectorAll<HTMLAnchorElement>("#nav a")];
  const read = links.findLast((link) => {
    const entry = document.getElementById(link.hash.slice(1));
    return entry !== null && entry.getBoundingClientRect().top < innerHeight / 3;
  });
  for (const link of links) {
    if (link !== read) link.removeAttribute("aria-current");
  }
  if (!read || read.hasAttribute("aria-current")) return;
  read.setAttribute("aria-current", "location");
  keepVisible(read);
}

/** Scrolls the column, never the page. */
function keepVisible(link: HTMLElement): void {
  const nav = document.getElementById("nav");
  if (!nav) return;
  const [column, own] = [nav.getBoundingClientRect(), link.getBoundingClientRect()];
  if (own.top < column.top || own.bottom > column.bottom) {
    nav.scrollTop += own.top - column.top - column.height / 3;
  }
}
