// The title of the document: what the page is about, and whose page it is.

/** Without a subject, as while a conversation is read from the server, only the name of the product. */
export const documentTitle = (subject?: string): string =>
  subject ? `${subject} · Colloquy` : "Colloquy";
