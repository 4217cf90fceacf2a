// Code of the socket's section. The operations' code is made from the documents, and the SDK's comes from its
// own README.
import type { Language } from "../model/highlight.ts";
import { ORIGIN } from "./origin.ts";

interface Snippet {
  readonly id: string;
  readonly label: string;
  readonly language: Language;
  readonly code: string;
}

const SOCKET = ORIGIN.replace("http", "ws");

export const connectSnippets = (path: string): Snippet[] => {
  const url = `${SOCKET}${path.replace("{conversation_id}", "7")}`;
  return [
    {
      id: "js",
      label: "JavaScript",
      language: "js",
      code: [
        `const socket = new WebSocket("${url}", ["chat.v2", \`bearer.\${access}\`]);`,
        "",
        "socket.onmessage = ({ data }) => {",
        "  const frame = JSON.parse(data);",
        `  if (frame.type === "hello") resume(socket, frame);`,
        "};",
        "socket.onclose = ({ code, reason }) => {",
        "  // A rejected socket opens first and then closes with a code.",
        "};",
      ].join("\n"),
    },
    {
      id: "wscat",
      label: "wscat",
      language: "sh",
      code: `npx --yes wscat --connect "${url}" -s chat.v2 -s "bearer.$ACCESS"`,
    },
  ];
};

export const AUTHORIZATION = [
  `ACCESS=$(curl -sS "${ORIGIN}/api/users/login/" -H "Content-Type: application/json" \\`,
  `  -d '{"username":"johndoe","password":"StrongPass123!"}' \\`,
  `  | sed -E 's/.*"access":"([^"]+).*/\\1/')`,
  "",
  `curl "${ORIGIN}/api/users/profile/" -H "Authorization: Bearer $ACCESS"`,
].join("\n");
