// Which links of a message may be followed, and whether their text shows where they lead.

const PROTOCOLS = new Set(["http:", "https:", "mailto:"]);

export interface SafeLink {
  readonly href: string;
  /** The host to show beside the text; `null` if the text shows it already. */
  readonly host: string | null;
}

/** `null` for a link of another scheme, or one without a meaning outside its page. */
export function safeLink(target: string, text: string): SafeLink | null {
  const url = parse(target);
  if (!url || !PROTOCOLS.has(url.protocol)) return null;
  const place = url.protocol === "mailto:" ? url.pathname : url.host;
  return { href: url.href, host: shows(text, place) ? null : place };
}

/** Whether the text names this host (or address), and no other one in front of it. */
function shows(text: string, place: string): boolean {
  const shown = text.trim().replace(/^(https?:\/\/|mailto:)/i, "");
  // `host` is in Punycode. A text in another script never equals it, so look-alikes are shown.
  const rest = shown.slice(place.length);
  return (
    shown.toLowerCase().startsWith(place.toLowerCase()) && (rest === "" || /^[/?#]/.test(rest))
  );
}

function parse(target: string): URL | null {
  try {
    return new URL(target);
  } catch {
    return null;
  }
}
