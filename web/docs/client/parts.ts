// The parts of the page that are made from the documents, rendered in the browser.
import { mount, type Component } from "svelte";

import type { AsyncApi } from "../model/asyncapi.ts";
import type { OpenApi } from "../model/openapi.ts";
import CloseCodes from "../page/CloseCodes.svelte";
import { readDocuments, type Documents } from "../page/documents.ts";
import ErrorCodes from "../page/ErrorCodes.svelte";
import Frames from "../page/Frames.svelte";
import Limits from "../page/Limits.svelte";
import Nav from "../page/Nav.svelte";
import Rest from "../page/Rest.svelte";
import RestTypes from "../page/RestTypes.svelte";
import { enhance } from "./enhance.ts";

const PARTS: Readonly<Record<string, Component<Documents>>> = {
  closes: CloseCodes,
  errors: ErrorCodes,
  frames: Frames,
  limits: Limits,
  nav: Nav,
  rest: Rest,
  types: RestTypes,
};

export function renderParts(openapi: OpenApi, asyncapi: AsyncApi): void {
  const documents = readDocuments(openapi, asyncapi);
  for (const target of document.querySelectorAll<HTMLElement>("[data-part]")) {
    const part = PARTS[target.dataset["part"] ?? ""];
    if (!part) continue;
    target.replaceChildren();
    mount(part, { target, props: documents });
    enhance(target);
  }
  // What the address names is a new element now.
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}
