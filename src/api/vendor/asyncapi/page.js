// Shows /asyncapi.json. Ours; the other files here are those of VERSIONS.
const page = document.getElementById("asyncapi");
const source = await (await fetch("/asyncapi.json")).text();
const { document: parsed, diagnostics } = await new AsyncAPIParser().parse(source);
if (parsed) {
  AsyncApiStandalone.render({
    schema: parsed,
    config: {
      show: { sidebar: true },
      expand: { messageExamples: true },
      sidebar: { showOperations: "byOperationsTags" },
      // Seen from a client, who reads this page; AsyncAPI itself speaks for the server.
      receiveLabel: "YOU SEND",
      replyLabel: "YOU SEND",
      sendLabel: "YOU RECEIVE",
    },
  }, page);
} else {
  page.textContent = diagnostics.map(({ path, message }) => `${path.join(".")}: ${message}`).join("\n");
}
