// Entry of the page at `/guarantees/`.
import "../ui/tokens.css";
import "../ui/base.css";

import { mount } from "svelte";

import App from "./App.svelte";
import { useChosenAppearance } from "./appearance.ts";

const target = document.getElementById("app");
if (!target) throw new Error("index.html has no element with the id app");

await useChosenAppearance();
mount(App, { target });
