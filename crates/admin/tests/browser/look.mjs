// What a person sees of the errors page, in headless Chromium: SERVICE is what misbehaves, ADMIN what is looked at.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { launch, routeOf, rowOf } from './browser.mjs';

// SHOTS is a folder for screenshots, where they are wanted.
const { SERVICE, ADMIN, SHOTS } = process.env;
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SECRET = 'hunter2';
const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 390, height: 800 };
const PAGES = ['/charts', '/policy/view', '/metrics/view', '/switch'];

const { browser, close } = await launch(WIDE);

const ask = async (path, init) => {
  const response = await fetch(SERVICE + path, init);
  await response.text();
  return response.headers.get('x-request-id');
};

const asks = {
  names: () => ask('/names/ada'),
  seats: () => ask('/seats/7', { method: 'POST' }),
  forbidden: () => ask('/seats/13', { method: 'POST' }),
  reports: () => ask('/reports'),
  accounts: () => ask('/accounts'),
  tenants: () => ask('/tenants/7'),
  panics: () => ask('/panics'),
  strange: () => ask('/strange'),
};

// A page that tells what went wrong on it: no script error, nothing refused by its policy, nothing from elsewhere.
const wrong = [];
const open = async (path = '/') => {
  const page = await browser.newPage();
  page.on('pageerror', (error) => wrong.push(`error: ${error}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) wrong.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(ADMIN) && !request.url().startsWith('data:')) wrong.push(`from elsewhere: ${request.url()}`);
  });
  await page.goto(ADMIN + path);
  return page;
};

const widerThanPage = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

let passed = 0;
const step = async (name, look) => {
  await look();
  passed += 1;
  console.log(`ok ${passed} ${name}`);
};

try {
  await step('without errors it says so', async () => {
    const page = await open();
    assert.match(await page.locator('#routes').innerText(), /No errors since \d+ \w+ \d\d:\d\d UTC\./);
    await page.close();
  });

  const ids = {};
  for (let round = 0; round < 3; round += 1) {
    for (const [name, send] of Object.entries(asks)) ids[name] = await send();
  }
  for (let round = 0; round < 6; round += 1) ids.names = await asks.names();

  await step('a long list is cut into pages, and the newest are on the first', async () => {
    const listed = await open();
    assert.equal(await listed.locator('table.errors tbody').count(), 15);
    await listed.locator('#errors .paging').getByRole('link', { name: 'Next' }).click();
    await listed.getByText(/Page 2 of 2, \d+ errors/).waitFor();
    assert.ok((await listed.locator('table.errors tbody').count()) > 0);
    assert.equal(await listed.locator('#live.is-live').count(), 0, 'what comes is on the first page');
    await listed.close();
  });

  const page = await open();
  // A thread of its own reads bodies. The list of errors follows it live, the table of routes only when the page is loaded.
  await page.waitForFunction((id) => document.querySelector('#errors').innerText.includes(id), ids.names);
  await page.reload();

  await step('each misbehaving route has its before and after', async () => {
    for (const [pattern, before, after] of [
      ['/names/{name}', '"error": "Name is taken."', '"code": "conflict"'],
      ['POST /seats/{id}', '"code": "FORBIDDEN"', '"code": "forbidden"'],
      ['/reports', '<h1>Bad Gateway</h1>', '"code": "other"'],
      ['/accounts', '"msg": "Too short."', '"code": "invalid_request"'],
      ['no route', '⟨U+202E⟩', '"code": "bad_request"'],
    ]) {
      const route = routeOf(page, pattern);
      assert.equal(await route.count(), 1, pattern);
      if (!(await route.locator('details').evaluate((it) => it.open))) await route.locator('summary').click();
      const sides = route.locator('.example .side');
      assert.match(await sides.nth(0).innerText(), /^The service sent/, pattern);
      assert.ok((await sides.nth(0).innerText()).includes(before), `${pattern}: ${await sides.nth(0).innerText()}`);
      assert.ok((await sides.nth(1).innerText()).includes(after), `${pattern}: ${await sides.nth(1).innerText()}`);
    }
  });

  await step('a route says what comes next, and what to write', async () => {
    const seats = await routeOf(page, 'POST /seats/{id}').innerText();
    assert.match(seats, /own: not ready/);
    assert.match(seats, /3 of 6 errors without a code since \d+ \w+ \d\d:\d\d UTC, last at \d+ \w+ \d\d:\d\d:\d\d/);
    assert.match(seats, /code = "SEAT_TAKEN"\nto = "seat_taken"/);
    assert.match(await routeOf(page, '/names/{name}').innerText(), /route = "\/names\/\{name\}"\nto = "names_conflict"/);
    const tenants = routeOf(page, '/tenants/{*rest}');
    await tenants.locator('summary').click();
    assert.match(await tenants.innerText(), /Mode own would have refused 3 requests since/);
    assert.match(await page.locator('#routes').innerText(), /1 route in off without errors/);
  });

  await step('the errors list has a row with its before and after', async () => {
    const row = rowOf(page, ids.accounts);
    assert.match(await row.innerText(), /422/);
    await row.locator('summary').click();
    assert.ok(await row.getByText('The client got').isVisible());
    assert.ok((await row.innerText()).includes('[redacted]'));
    assert.match(await rowOf(page, ids.tenants).innerText(), /200\s*→\s*(in enforce)?\s*400/);
    assert.match(await rowOf(page, ids.panics).innerText(), /500[\s\S]*internal_error[\s\S]*panic/);
  });

  await step('what a stranger said is text', async () => {
    const row = rowOf(page, ids.strange);
    await row.locator('summary').click();
    const told = await row.locator('pre').first().innerText();
    assert.ok(told.startsWith('</script><img src=x onerror=alert(1)>⟨U+202E⟩'), told);
    assert.equal(await page.locator('img').count(), 0);
  });

  await step('no credential is anywhere', async () => {
    for (const path of ['/', `/errors/${ids.accounts}`, '/?code=invalid_request']) {
      const html = await (await fetch(ADMIN + path)).text();
      assert.ok(!html.includes(SECRET), path);
      assert.ok(path === '/' || html.includes('[redacted]'), path);
    }
  });

  await step('a filter is in the address', async () => {
    await page.getByLabel('Code').selectOption('conflict');
    await page.getByRole('button', { name: 'Filter' }).click();
    await page.waitForURL(/code=conflict/);
    assert.equal(await rowOf(page, ids.names).count(), 1);
    assert.equal(await rowOf(page, ids.accounts).count(), 0);
    const shared = await open(new URL(page.url()).pathname + new URL(page.url()).search);
    assert.equal(await shared.getByLabel('Code').inputValue(), 'conflict');
    assert.equal(await rowOf(shared, ids.names).count(), 1);
    await shared.close();
    await page.locator('.filters').getByRole('link', { name: 'Show all' }).click();
    await rowOf(page, ids.accounts).waitFor();
  });

  await step('an error is found by its id, by keyboard', async () => {
    await page.getByLabel('Request id').fill(`  ${ids.seats.slice(4).toLowerCase()} `);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: ids.seats }).waitFor();
    assert.equal(new URL(page.url()).pathname, '/errors');
    assert.ok((await page.locator('.one').innerText()).includes('SEAT_TAKEN'));
    await page.getByLabel('Request id').fill('req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D');
    await page.getByRole('button', { name: 'Find' }).click();
    await page.getByText('This id is not among the last 10,000 errors').waitFor();
    assert.ok((await page.locator('.log').innerText()).includes("grep -F 'req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D'"));
  });
  // The answers above are 404 by intent.
  wrong.splice(0, wrong.length, ...wrong.filter((it) => !it.includes('status of 404')));

  await step('a live row appears without a reload, and can be held back', async () => {
    await page.goto(ADMIN);
    await page.locator('#live.is-live').waitFor();
    await page.evaluate(() => { globalThis.isTheSamePage = true; });
    const id = await asks.names();
    await rowOf(page, id).waitFor();
    await rowOf(page, id).locator('summary').click();
    assert.ok((await rowOf(page, id).innerText()).includes('Name is taken.'));
    await page.waitForFunction(() => document.querySelector('#announce').textContent.includes('/names/{name}'));
    const top = () => rowOf(page, id).evaluate((row) => row.getBoundingClientRect().top);
    const [before, later] = [await top(), await asks.names()];
    await page.getByText('Held while a row is open, 1 new').waitFor();
    assert.equal(await top(), before, 'a row that is open stays where it is');
    await rowOf(page, id).locator('summary').click();
    await rowOf(page, later).waitFor();
    const counted = await page.getByRole('img', { name: /^Errors: / }).getAttribute('aria-label');
    assert.equal(Number(/(\d+) in all/.exec(counted)[1]), await page.locator('table.errors tbody').first().getAttribute('data-number').then(Number), 'charts and rows are of one moment');
    await page.getByRole('button', { name: 'Pause' }).click();
    const held = await asks.names();
    await page.getByText('Paused, 1 new').waitFor();
    assert.equal(await rowOf(page, held).count(), 0);
    await page.getByRole('button', { name: 'Resume' }).click();
    await rowOf(page, held).waitFor();
    assert.ok(await page.evaluate(() => globalThis.isTheSamePage));
    const number = (at) => page.locator('table.errors tbody').nth(at).getAttribute('data-number').then(Number);
    assert.ok((await number(0)) > (await number(1)), 'the newest first');
  });

  await step('a live row keeps to the filter', async () => {
    const filtered = await open('/?code=conflict');
    await filtered.locator('#live.is-live').waitFor();
    const other = await asks.accounts();
    const fits = await asks.names();
    await rowOf(filtered, fits).waitFor();
    assert.equal(await rowOf(filtered, other).count(), 0);
    await filtered.close();
  });

  await step('without a script it is the same page', async () => {
    const bare = await browser.newPage();
    await bare.route('**/page.js', (route) => route.abort());
    await bare.goto(ADMIN);
    assert.equal(await rowOf(bare, ids.accounts).count(), 1);
    await rowOf(bare, ids.accounts).locator('summary').click();
    assert.ok(await rowOf(bare, ids.accounts).getByText('The client got').isVisible());
    assert.ok(!(await bare.locator('#live').isVisible()), 'it does not say that it is live');
    await bare.getByLabel('Code').selectOption('conflict');
    await bare.getByRole('button', { name: 'Filter' }).click();
    await bare.waitForURL(/code=conflict/);
    assert.equal(await rowOf(bare, ids.accounts).count(), 0);
    await bare.close();
  });

  await step('by keyboard: the skip link first, focus is seen, nothing traps it', async () => {
    await page.goto(ADMIN);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the content');
    assert.ok(await page.locator('.skip').evaluate((it) => it.getBoundingClientRect().top >= 0), 'it is seen');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'content');
    await page.goto(ADMIN);
    const stops = await page.locator('a, button:visible, input, select, summary:visible, [tabindex="0"]:visible').count();
    const seen = [];
    for (let at = 0; at < stops + 20; at += 1) {
      await page.keyboard.press('Tab');
      const stop = await page.evaluate(() => {
        const it = document.activeElement;
        if (it === document.body) return null;
        const style = getComputedStyle(it);
        const name = it.getAttribute('aria-label') || it.innerText || it.id || it.tagName;
        return { name: `${it.tagName} ${name}`.slice(0, 40), outline: style.outlineStyle !== 'none' && style.outlineWidth };
      });
      if (stop === null) break;
      assert.ok(stop.outline, `the focus on ${stop.name} is not seen`);
      seen.push(stop.name);
    }
    const at = (name) => seen.findIndex((it) => it.includes(name));
    assert.ok(seen.length < stops + 20, 'the focus never leaves the page');
    const order = ['Skip', 'error envelope', 'Routes', 'Charts', 'id', 'Find', 'By hour', 'SUMMARY', 'route', 'Filter'].map(at);
    assert.ok(order.every((it) => it >= 0), `${order} of ${seen.join(' | ')}`);
    await page.keyboard.press('Shift+Tab');
  });

  await step('charts have what happened when, by route and code', async () => {
    await page.goto(`${ADMIN}/charts`);
    const words = await page.getByRole('img', { name: /^Errors: \d+ in all, at most \d+ in a minute/ }).getAttribute('aria-label');
    const all = Number(/(\d+) in all/.exec(words)[1]);
    assert.ok(all >= 30, words);
    await page.getByRole('img', { name: /^Requests: \d+ in all/ }).waitFor();
    await page.locator('#route').getByRole('link', { name: '/names/{name}' }).click();
    await page.getByText('Of errors on').waitFor();
    assert.equal(await page.locator('#code table.series tbody tr').count(), 1);
    await page.getByRole('navigation', { name: 'Hours' }).getByRole('link').last().click();
    await page.locator('.hours [aria-current=page]', { hasText: ':00' }).waitFor();
    await page.locator('summary').click();
    const sum = (await page.locator('table.numbers td:nth-child(2)').allInnerTexts()).map(Number).reduce((a, b) => a + b);
    assert.ok(sum > 0 && sum < all, `${sum} of ${all}`);
    const gone = await page.goto(`${ADMIN}/charts?hour=2020-01-01T00`);
    assert.equal(gone.status(), 410);
    await page.getByRole('heading', { level: 1, name: 'That hour is no longer stored' }).waitFor();
  });
  // 410 by intent.
  wrong.splice(0, wrong.length, ...wrong.filter((it) => !it.includes('status of 410')));

  await step('the policy is a table with files and lines, the metrics are one with values', async () => {
    await page.goto(ADMIN);
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Policy' }).click();
    const route = page.locator('table.tables tr').filter({ has: page.getByText('/tenants/{*rest}', { exact: true }) });
    assert.match(await route.innerText(), /observe[\s\S]*require_headers = \["tenant"\][\s\S]*on-call\.toml:\d+/);
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Metrics' }).click();
    await page.getByLabel('Name or label contains').fill('error_envelope_errors_total');
    await page.keyboard.press('Enter');
    await page.waitForURL(/part=error_envelope_errors_total/);
    assert.match(await page.locator('table.metrics').innerText(), /code=conflict/);
    assert.match(await (await fetch(`${ADMIN}/metrics`)).text(), /^# HELP /);
  });

  await step('at 390 pixels nothing is wider than the page, or too long, and the switch is within reach', async () => {
    await page.setViewportSize(NARROW);
    for (const path of ['/', ...PAGES, `/errors/${ids.accounts}`, '/errors?id=nonsense', '/?code=conflict']) {
      await page.goto(ADMIN + path);
      assert.ok((await page.evaluate(() => document.documentElement.scrollHeight)) < 6000, path);
      const link = await page.getByRole('link', { name: 'Kill switch' }).boundingBox();
      assert.ok(link.y + link.height <= NARROW.height && link.height >= 24, path);
      await page.evaluate(() => document.querySelectorAll('details').forEach((it) => { it.open = true; }));
      assert.ok((await widerThanPage(page)) <= 0, `${path} is ${await widerThanPage(page)} px too wide`);
    }
    await page.setViewportSize(WIDE);
  });
  wrong.splice(0, wrong.length, ...wrong.filter((it) => !it.includes('status of 400')));

  for (const colorScheme of ['light', 'dark']) {
    await step(`axe finds nothing in ${colorScheme}, wide and narrow`, async () => {
      for (const viewport of [WIDE, NARROW]) {
        const looked = await open();
        await looked.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await looked.setViewportSize(viewport);
        for (const path of ['/', ...PAGES, `/errors/${ids.accounts}`, '/errors?id=req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D']) {
          await looked.goto(ADMIN + path);
          if (path === '/') await looked.locator('#live.is-live').waitFor();
          await looked.evaluate(() => document.querySelectorAll('details').forEach((it) => { it.open = true; }));
          await looked.evaluate(AXE);
          const { violations, passes } = await looked.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
          const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('\n')}`);
          assert.deepEqual(told, [], `${path} at ${viewport.width}`);
          assert.ok(passes.length > 20, 'axe looked');
        }
        await looked.close();
      }
    });
  }
  wrong.splice(0, wrong.length, ...wrong.filter((it) => !it.includes('status of 404')));

  if (SHOTS) {
    const shot = await open();
    await shot.locator('#live.is-live').waitFor();
    await shot.locator('.new').first().waitFor({ state: 'detached' });
    for (const [name, colorScheme, viewport, fullPage] of [
      ['light', 'light', { width: 1180, height: 980 }, false], ['dark', 'dark', { width: 1180, height: 980 }, false],
      ['narrow', 'light', NARROW, true], ['whole', 'light', WIDE, true],
    ]) {
      await shot.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await shot.setViewportSize(viewport);
      await shot.screenshot({ path: join(SHOTS, `${name}.png`), fullPage });
    }
    for (const path of PAGES) {
      await shot.goto(ADMIN + path);
      for (const colorScheme of ['light', 'dark']) {
        for (const viewport of [WIDE, NARROW]) {
          await shot.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
          await shot.setViewportSize(viewport);
          await shot.screenshot({ path: join(SHOTS, `${path.split('/')[1]}-${viewport.width}-${colorScheme}.png`), fullPage: viewport === WIDE });
        }
      }
    }
    await shot.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
    await shot.goto(`${ADMIN}/errors/${ids.accounts}`);
    await shot.setViewportSize({ width: 1180, height: 900 });
    await shot.screenshot({ path: join(SHOTS, 'one.png') });
    await shot.close();
  }

  await step('the kill switch is thrown and taken back on the page', async () => {
    await page.goto(ADMIN);
    await page.getByRole('link', { name: 'Kill switch' }).click();
    await page.getByText(/^The kill switch is off\./).waitFor();
    await page.getByLabel('Your name').fill('maria');
    await page.getByLabel('Reason').fill('orders loses texts');
    await page.getByRole('button', { name: 'Turn the switch on' }).click();
    assert.equal((await (await fetch(`${ADMIN}/kill-switch`)).json()).kill_switch, false, 'nothing happens by one click');
    await page.getByRole('checkbox').focus();
    await page.keyboard.press('Space');
    await page.getByRole('button', { name: 'Turn the switch on' }).click();
    await page.getByText(/^Turned on .* by maria \(from 127\.0\.0\.1\): orders loses texts$/).waitFor();
    assert.equal((await (await fetch(`${ADMIN}/kill-switch`)).json()).kill_switch, true);
    await page.getByRole('link', { name: 'Turn it off' }).click();
    await page.getByRole('button', { name: 'Turn the switch off' }).click();
    await page.getByRole('link', { name: 'Turn it off' }).waitFor({ state: 'detached' });
    assert.equal((await (await fetch(`${ADMIN}/kill-switch`)).json()).kill_switch, false);
  });

  await step('the browser had nothing to complain of', async () => assert.deepEqual(wrong, []));
  console.log(`${passed} looks`);
} finally {
  await close();
}
