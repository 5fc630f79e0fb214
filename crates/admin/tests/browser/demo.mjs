// The demo as the errors page shows it: PATHS, a line each, are what misbehaves. Each error that a client gets is a row on
// the page, under its route, with what was sent before and what the client got.
import assert from 'node:assert/strict';
import { launch, routeOf, rowOf } from './browser.mjs';

const { SERVICE, ADMIN, PATHS } = process.env;
const FEWEST = 35;

const got = await Promise.all(PATHS.trim().split('\n').map(async (name) => {
  const response = await fetch(SERVICE + name, { signal: AbortSignal.timeout(30_000) });
  // One is broken off by intent.
  const body = await response.text().catch(() => '');
  const [id, code] = ['x-request-id', 'x-error-code'].map((header) => response.headers.get(header));
  return { name, status: response.status, id, code, body };
}));
const errors = got.filter(({ code }) => code);
assert.ok(errors.length >= FEWEST, `${errors.length} errors of the demo`);

// What is on one of the pages of a list, looked for from the first.
const sought = async (page, list, wanted, name) => {
  await page.goto(ADMIN);
  for (;;) {
    await page.evaluate(() => document.querySelectorAll('details').forEach((it) => { it.open = true; }));
    if ((await wanted.count()) > 0) break;
    const next = page.getByRole('navigation', { name: `Pages of ${list}` }).getByRole('link', { name: 'Next' });
    assert.equal(await next.count(), 1, `${name} is in no row of the ${list}`);
    await page.goto(new URL(await next.getAttribute('href'), ADMIN).href);
  }
  assert.equal(await wanted.count(), 1, `${name} is in several rows of the ${list}`);
  return wanted;
};

const { browser, close } = await launch({ width: 1280, height: 900 });
try {
  const page = await browser.newPage();
  // The last bodies may be on their way to the page still.
  do {
    await page.goto(ADMIN);
  } while ((await page.getByText('Not stored: too many errors came at once.').count()) > 0);
  let withBoth = 0;
  for (const { name, status, id, code, body } of errors) {
    const row = await sought(page, 'errors', rowOf(page, id), `${name} (${id})`);
    const [before, after] = (await row.locator('.side').allInnerTexts()).map((text) => text.replace(/\n+/g, '\n'));
    const told = await row.locator('tr').first().innerText();
    assert.ok(told.includes(code) && told.includes(String(status)), `${name}: ${told}`);
    assert.ok(told.includes(name), `${name} is not its route: ${told}`);
    assert.ok(before.startsWith('The service sent'), `${name}: ${before}`);
    assert.ok(after.startsWith(`The client got\n${body ? `${status} application/json` : status}`), `${name}: ${after}`);
    // What passes in its protocol's own form has neither.
    if (body?.includes(id)) {
      assert.ok(after.includes(`"code": "${code}"`) && after.includes(id), `${name}: ${after}`);
    }
    if ((await row.locator('td.origin').innerText()) === 'inner') {
      assert.match(before, /^The service sent\n\d{3} /, name);
      withBoth += 1;
      const route = await sought(page, 'routes', routeOf(page, name), name);
      const example = await route.locator('.example').innerText();
      assert.ok(example.includes('The service sent') && example.includes('The client got'), `${name}: ${example}`);
    }
  }
  console.log(`${errors.length} errors of the demo are on the page, ${withBoth} with what the service sent`);
} finally {
  await close();
}
