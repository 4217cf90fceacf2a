// What a message text consists of, once parsed. Components render these nodes; there is no HTML string.

export type Inline =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "strong" | "em" | "del"; readonly children: readonly Inline[] }
  | { readonly kind: "code"; readonly text: string }
  | { readonly kind: "break" }
  | {
      readonly kind: "link";
      readonly href: string;
      /** The host the link leads to, where its text says something else. */
      readonly host: string | null;
      readonly children: readonly Inline[];
    }
  | { readonly kind: "mention"; readonly userId: number; readonly name: string };

export type Block =
  | { readonly kind: "paragraph"; readonly children: readonly Inline[] }
  | { readonly kind: "quote"; readonly blocks: readonly Block[] }
  | { readonly kind: "code"; readonly text: string }
  | {
      readonly kind: "list";
      /** The first number; `null` for bullets. */
      readonly start: number | null;
      readonly items: readonly (readonly Block[])[];
    };

/** A member who is named in a text as `@name`. */
export interface Mentioned {
  readonly userId: number;
  readonly name: string;
}
