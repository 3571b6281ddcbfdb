// Plays live streams in Chromium, one page a player, and says what it saw as JSON lines.
//
//   node run.mjs JOB     where JOB is JSON:
//
//   chromium     the browser's program
//   profile      a folder for it, empty
//   certificate  the file of the one certificate that the browser is to accept
//   behind       how far behind the newest segment the players begin, in seconds
//   goal         what a player that has run dry fetches before it goes on, in seconds
//   seconds      for how long to look on once all of them play
//   plays        [{name, player, url}], where player is a page of pages/
//   probe        the URL of an object for the checks of CORS and ranges
//
// Lines, each with `event` and `at` (ms since 1970): `browser`, `cors`, `begun` (all play; the
// measurement begins), `state` once a second, `said` (a page's console), `report` at the end
// for each play, `failed`. It exits 0 when there is a report for each.

import { createHash, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";
import { checkCors } from "./cors.mjs";
import { serve } from "./serve.mjs";

// Pages that do not play after so long never will.
const START_MS = 60_000;

const job = JSON.parse(process.argv[2]);
const say = (event, line = {}) => {
  process.stdout.write(`${JSON.stringify({ event, at: Date.now(), ...line })}\n`);
};

// Chromium takes a certificate that nobody has signed if it is told the hash of its key; it is
// an error-free connection then, with the cache and all else as for any site.
function keyHash(file) {
  const key = new X509Certificate(readFileSync(file)).publicKey;
  return createHash("sha256").update(key.export({ type: "spki", format: "der" })).digest("base64");
}

async function launch() {
  const context = await chromium.launchPersistentContext(job.profile, {
    executablePath: job.chromium,
    headless: true,
    viewport: { width: 340, height: 200 },
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--autoplay-policy=no-user-gesture-required",
      `--ignore-certificate-errors-spki-list=${keyHash(job.certificate)}`,
    ],
  });
  say("browser", { version: context.browser()?.version() });
  return context;
}

async function open(context, site, { name, player, url }) {
  const page = await context.newPage();
  const said = (text) => say("said", { play: name, text });
  page.on("console", (message) => said(message.text()));
  page.on("pageerror", (error) => said(`exception: ${error}`));
  const parameters = new URLSearchParams({ url, behind: job.behind, goal: job.goal });
  await page.goto(`${site}/pages/${player}.html?${parameters}`);
  return { name, page };
}

const plays = (page) => page.waitForFunction(
  () => measure.played > 1 && measure.stood < 300,
  null,
  { timeout: START_MS, polling: 200 },
);

async function watch(pages) {
  await Promise.all(pages.map(({ page }) => plays(page)));
  await Promise.all(pages.map(({ page }) => page.evaluate(() => measure.begin())));
  say("begun");
  const end = Date.now() + job.seconds * 1000;
  while (Date.now() < end) {
    await sleep(1000);
    for (const { name, page } of pages) {
      const state = await page.evaluate(() => measure.report());
      const { time, ahead, played, gaps, loads } = state;
      say("state", { play: name, time, ahead, played, gaps: gaps.length, loads });
    }
  }
  const reports = pages.map(({ page }) => page.evaluate(() => {
    measure.end();
    return measure.report();
  }));
  for (const { name } of pages) {
    say("report", { play: name, ...(await reports.shift()) });
  }
}

async function main() {
  const [server, context] = await Promise.all([serve(), launch()]);
  try {
    const opened = job.plays.map((play) => open(context, server.site, play));
    const pages = await Promise.all(opened);
    await watch(pages);
    say("cors", await checkCors(pages[0].page, job.probe));
  } finally {
    await context.close();
    server.close();
  }
}

try {
  await main();
} catch (error) {
  say("failed", { text: String(error?.stack ?? error) });
  process.exitCode = 1;
}
