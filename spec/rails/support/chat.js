"use strict";
// Two people chat, each in a browser's window of their own; tells what they saw and by which protocols.
const fs = require("fs");
const { chromium } = require("playwright-core");

const options = JSON.parse(process.argv[2]);
const PATIENCE = 60000;
// Ends every line of this run: the room may remember others.
const MARK = ` #${process.pid}`;

async function open(browser, name) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 640, height: 520 } });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => { if (message.type() === "error") errors.push(message.text()); });
  const network = await context.newCDPSession(page);
  await network.send("Network.enable");
  // 101 over HTTP/1.1, 200 over HTTP/2.
  const upgraded = new Promise((resolve) => {
    network.on("Network.webSocketHandshakeResponseReceived", ({ response }) => resolve(response.status));
  });
  await page.goto(options.url);
  // All that it has shown, however briefly.
  await page.evaluate(() => {
    const cable = document.getElementById("cable");
    window.states = [];
    new MutationObserver(() => window.states.push(cable.textContent)).observe(cable, { childList: true });
  });
  await page.fill("#author", name);
  try {
    await connected(page);
  } catch (error) {
    throw new Error(`${name} is not connected: ${errors.join("; ")}`);
  }
  return { page, name, errors, upgraded };
}

function connected(page) {
  return page.waitForFunction(() => document.getElementById("cable").textContent === "connected");
}

// Waits until the cable has been lost and is there again.
function again(page) {
  return page.waitForFunction(() => {
    const lost = window.states.indexOf("not connected");
    return lost >= 0 && window.states.includes("connected", lost);
  });
}

async function say(speaker, listeners, text) {
  await speaker.page.fill("#text", text + MARK);
  await speaker.page.click("#say input[type=submit]");
  await Promise.all(listeners.map(({ page }) => page.locator("#messages li", { hasText: text + MARK }).waitFor()));
}

async function tell({ page, errors, upgraded }) {
  return {
    protocol: await page.evaluate(() => performance.getEntriesByType("navigation")[0].nextHopProtocol),
    resources: await page.evaluate(() => performance.getEntriesByType("resource").map((entry) => entry.nextHopProtocol)),
    upgraded: await upgraded,
    lines: (await page.locator("#messages li", { hasText: MARK }).allInnerTexts()).map((line) => line.replace(MARK, "")),
    errors,
  };
}

(async () => {
  const browser = await chromium.launch({
    executablePath: options.chromium,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--ignore-certificate-errors", "--no-proxy-server"],
  });
  try {
    const people = [await open(browser, "Ada"), await open(browser, "Grace")];
    const [ada, grace] = people;
    await say(ada, people, "Is anybody there?");
    await say(grace, people, "I am. <b>Über</b> HTTP?");
    for (let number = 0; number < (options.more || 0); number++) await say(ada, people, `message ${number}.`);
    if (options.restart) {
      fs.writeFileSync(options.restart, "");
      await Promise.all(people.map(({ page }) => again(page)));
      await say(grace, people, "There we are again.");
    }
    if (options.screenshot) await ada.page.screenshot({ path: options.screenshot });
    console.log(JSON.stringify(await Promise.all(people.map(tell))));
  } finally {
    await browser.close();
  }
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
