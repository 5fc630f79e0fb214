// The demo's tour as the observatory shows it: TOUR is what its clients got (`error-envelope demo --tour-json`). Each
// error of it is a row on the page, under its route, with what was said before and what the client got.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { launch, routeOf, rowOf } from './browser.mjs';

const { ADMIN, TOUR } = process.env;
const FEWEST = 35;

const headerOf = ({ headers }, wanted) => headers.find(([name]) => name === wanted)?.[1];
const errors = JSON.parse(readFileSync(TOUR, 'utf8')).filter((it) => headerOf(it, 'x-error-code'));
assert.ok(errors.length >= FEWEST, `${errors.length} errors in the tour`);

const { browser, close } = await launch({ width: 1280, height: 900 });
try {
  const page = await browser.newPage();
  // The last bodies may be on their way to the page still.
  await page.goto(ADMIN);
  await page.evaluate(() => document.querySelectorAll('details').forEach((it) => { it.open = true; }));
  let withBoth = 0;
  for (const error of errors) {
    const { name, status, body } = error;
    const [id, code] = [headerOf(error, 'x-request-id'), headerOf(error, 'x-error-code')];
    const row = rowOf(page, id);
    assert.equal(await row.count(), 1, `${name} (${id}) is no row`);
    const [before, after] = await row.locator('.side').allInnerTexts();
    const told = await row.locator('tr').first().innerText();
    assert.ok(told.includes(code) && told.includes(String(status)), `${name}: ${told}`);
    assert.ok(told.includes(name), `${name} is not its route: ${told}`);
    assert.ok(before.startsWith('The service said'), `${name}: ${before}`);
    assert.ok(after.startsWith(`The client got\n${body ? `${status} application/json` : status}`), `${name}: ${after}`);
    if (body) {
      assert.ok(after.includes(`"code": "${code}"`) && after.includes(id), `${name}: ${after}`);
    }
    if ((await row.locator('td.origin').innerText()) === 'inner') {
      assert.match(before, /^The service said\n\d{3} /, name);
      withBoth += 1;
      const example = await routeOf(page, name).locator('.example').innerText();
      assert.ok(example.includes('The service said') && example.includes('The client got'), `${name}: ${example}`);
    }
  }
  console.log(`${errors.length} errors of the demo are on the page, ${withBoth} with what the service said`);
} finally {
  await close();
}
