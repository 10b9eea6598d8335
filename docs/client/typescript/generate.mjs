// Generates the types of requests, responses and events from the documents' snapshots, or from a running application:
// generate.mjs [URL]
import { mkdir, readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";

const [url] = process.argv.slice(2);
const read = async (path, snapshot) =>
  JSON.parse(url ? await (await fetch(url + path)).text() : await readFile(new URL(`../../../tests/${snapshot}`, import.meta.url)));
const write = (name, text) => writeFile(new URL(`src/generated/${name}.ts`, import.meta.url), text);

await mkdir(new URL("src/generated", import.meta.url), { recursive: true });
const rest = await read("/openapi.json", "api/openapi.json");
const events = await read("/asyncapi.json", "websockets/asyncapi/asyncapi.json");
const { schemas } = events.components;
await write("rest", astToString(await openapiTS(rest)));
await write("schemas", astToString(await openapiTS({ openapi: "3.1.0", info: rest.info, paths: {}, components: { schemas } })));

const simple = { boolean: "boolean", string: "string", integer: "number", number: "number" };
const type = (payload) => (payload.$ref ? `Schemas["${payload.$ref.split("/").at(-1)}"]` : (simple[payload.type] ?? "unknown"));
const parameter = ({ payload }) => (payload ? [`data: ${type(payload)}`] : []);
const lines = (message, make) =>
  Object.values(events.channels)
    .filter((channel) => channel.messages[message])
    .map((channel) => `  "${channel.address}": ${make(channel.messages)};`);

const sent = lines("request", ({ request, ack }) => {
  const reply = ack.payload ? `${type(ack.payload)} | ErrorBody` : "ErrorBody | null | undefined";
  return `(${[...parameter(request), `ack?: (reply: ${reply}) => void`].join(", ")}) => void`;
});
const heard = lines("event", ({ event }) => `(${parameter(event.$ref ? events.components.messages.error : event)}) => void`);
await write("events", `import type { components } from "./schemas.ts";

type Schemas = components["schemas"];
export type ErrorBody = Schemas["ErrorBody"];

export interface ClientToServerEvents {
${sent.join("\n")}
}

export interface ServerToClientEvents {
${heard.join("\n")}
}
`);
