// The page as HTML. Called by the build and by the tests (build/docs.ts), so that both have the same page.
import { render } from "svelte/server";

import { digest } from "./client/digest.ts";
import { readTexts, type Sources } from "./content/texts.ts";
import type { AsyncApi } from "./model/asyncapi.ts";
import type { OpenApi } from "./model/openapi.ts";
import { readDocuments } from "./page/documents.ts";
import Page from "./page/Page.svelte";

export interface Rendered {
  readonly html: string;
  /** Of the two descriptions it was made from. */
  readonly digest: string;
}

export function renderDocs(openapi: OpenApi, asyncapi: AsyncApi, sources: Sources): Rendered {
  const documents = readDocuments(openapi, asyncapi);
  const { body } = render(Page, { props: { documents, texts: readTexts(sources) } });
  // The comments would help scripts to adopt the elements. No script does.
  return { html: body.replace(/<!--[\s\S]*?-->/g, ""), digest: digest(openapi, asyncapi) };
}
