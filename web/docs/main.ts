// Entry of the page at `/docs/`. The page is complete without it. What it adds is in client/; what needs Svelte, the
// search and "try it", is loaded by its first use.
import "../ui/tokens.css";
import "../ui/base.css";
import "./styles/layout.css";
import "./styles/prose.css";
import "./styles/reference.css";
import "./styles/code.css";
import "./styles/print.css";

import { followAppearance } from "./client/appearance.ts";
import { closeMenuOnChoice, followReading } from "./client/contents.ts";
import { enhance } from "./client/enhance.ts";
import { refreshFromServer } from "./client/refresh.ts";
import { addSearchButton } from "./client/search_button.ts";

followAppearance();
enhance(document.body);
addSearchButton();
closeMenuOnChoice();
followReading();
void refreshFromServer();
