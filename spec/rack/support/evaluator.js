"use strict";
// Evaluates scripts, one a line of JSON, and answers each with a line of JSON.
const readline = require("readline");
const client = require("./client.js");

const AsyncFunction = (async () => {}).constructor;
const names = Object.keys(client);

async function evaluate({ url, script }) {
  const session = client.connect(url);
  try {
    const run = new AsyncFunction(...names, "url", "session", script);
    return { value: (await run(...Object.values(client), url, session)) ?? null };
  } catch (error) {
    return { error: error.stack };
  } finally {
    session.destroy();
  }
}

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  process.stdout.write(JSON.stringify(await evaluate(JSON.parse(line))) + "\n");
});
