// What a person sees of the admin page, in headless Chromium: SERVICE is what misbehaves, ADMIN what is looked at. SHOTS is a
// folder for screenshots, where they are wanted.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { errorOf, launch } from './browser.mjs';

const { SERVICE, ADMIN, SHOTS } = process.env;
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SECRET = 'hunter2';
const SIZES = [{ width: 1280, height: 900 }, { width: 390, height: 800 }];

const ask = async (path, init) => {
  const response = await fetch(SERVICE + path, init);
  await response.text();
  return response.headers.get('x-request-id');
};
const paths = { names: '/names/ada', seats: '/seats/7', reports: '/reports', accounts: '/accounts', tenants: '/tenants/7', panics: '/panics', strange: '/strange' };
const send = (name) => ask(paths[name], { method: name === 'seats' ? 'POST' : 'GET' });

const { browser, close } = await launch(SIZES[0]);

// A page that tells what went wrong on it: no script error, nothing refused by its policy, nothing from elsewhere.
const wrong = [];
const open = async (path = '/') => {
  const page = await browser.newPage();
  page.on('pageerror', (error) => wrong.push(`error: ${error}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) wrong.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(ADMIN)) wrong.push(`from elsewhere: ${request.url()}`);
  });
  await page.goto(ADMIN + path);
  return page;
};

let passed = 0;
const step = async (name, look) => {
  await look();
  passed += 1;
  console.log(`ok ${passed} ${name}`);
};

// At both widths, in light and dark: nothing is wider than the page, axe finds nothing, and there is a screenshot.
const looks = async (page, name) => {
  for (const colorScheme of ['light', 'dark']) {
    for (const size of SIZES) {
      const where = `${name}-${colorScheme}-${size.width}`;
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize(size);
      const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(tooWide <= 0, `${where}: ${tooWide} px too wide`);
      const { violations, passes } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join('\n')}`), [], where);
      assert.ok(passes.some(({ id }) => id === 'color-contrast'), `${where}: axe looked at contrast`);
      if (SHOTS) await page.screenshot({ path: join(SHOTS, `${where}.png`), fullPage: !name.includes('switch') });
    }
  }
  await page.setViewportSize(SIZES[0]);
};

try {
  await step('without errors it says so', async () => {
    const page = await open();
    await page.getByText('No problems: no server error, no broken response and no refused request in this minute and the 14 before.').waitFor();
    await page.getByText('No errors yet.').waitFor();
    await page.close();
  });

  const ids = {};
  for (let round = 0; round < 3; round += 1) {
    for (const name of Object.keys(paths)) ids[name] = await send(name);
  }
  // A thread removes the credentials from bodies.
  const stored = async () => !(await (await fetch(`${ADMIN}/errors.json`)).text()).includes('"bodies": "waiting"');
  while (!(await stored()));
  const page = await open();
  await page.evaluate(AXE);
  await errorOf(page, ids.names).waitFor();

  await step('it begins with what fails, and what would be refused is apart', async () => {
    const now = page.locator('#now');
    await now.getByText('Failed by route and service in this minute and the 14 before').waitFor();
    await page.locator('#observed').getByText('Would be refused by route and service').waitFor();
    assert.ok(!(await now.innerText()).includes('/tenants'), 'a guard that only observes refused nothing');
    assert.match(await now.innerText(), /\/reports[\s\S]*\/panics|\/panics[\s\S]*\/reports/);
  });

  await step('the chart has its numbers as text', async () => {
    const label = await page.locator('#hour svg').getAttribute('aria-label');
    assert.match(label, /^Requests per minute in the last hour: .*\d+ client errors, \d+ server errors\. Peak \d+ per minute\.$/);
    await page.getByText('The numbers as a table').click();
    assert.ok((await page.locator('.numbers tbody tr').count()) > 0);
    await page.getByText('The numbers as a table').click();
  });

  await step('an error has its before and after, without credentials', async () => {
    const row = errorOf(page, ids.accounts);
    await row.locator('summary').click();
    const [before, after] = await row.locator('.side').allInnerTexts();
    assert.match(before, /Before[\s\S]*"msg": "Too short\."/);
    assert.match(after, /After[\s\S]*"code": "invalid_request"/);
    const text = await page.locator('body').innerText();
    assert.ok(text.includes('[redacted]') && !text.includes(SECRET), text);
  });

  await step('foreign text is text', async () => {
    const row = errorOf(page, ids.strange);
    await row.locator('summary').click();
    const told = await row.locator('pre').first().innerText();
    assert.ok(told.startsWith('</script><img src=x onerror=alert(1)>⟨U+202E⟩'), told);
    assert.equal(await page.locator('img').count(), 0);
  });

  await step('it looks right with errors', () => looks(page, 'errors'));

  await step('an error is found by its id in one step, and has its path', async () => {
    await page.getByLabel('Request id, trace id, code, outcome, route, scope or service').fill(`  {"request_id":"${ids.seats.slice(4).toLowerCase()}"} `);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: ids.seats }).waitFor();
    assert.equal(await page.locator('.error').count(), 1);
    const text = await page.locator('.error').innerText();
    assert.ok(text.includes('SEAT_TAKEN') && text.includes('/seats/7'), text);
    const shared = await open(new URL(page.url()).pathname + new URL(page.url()).search);
    await errorOf(shared, ids.seats).getByText('SEAT_TAKEN').first().waitFor();
    await shared.close();
    await looks(page, 'found');
    await page.getByLabel('Request id, trace id, code, outcome, route, scope or service').fill('req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D');
    await page.getByRole('button', { name: 'Find' }).click();
    await page.getByText('This id is not among the last 10,000 errors').waitFor();
  });

  await step('errors are found by code and route', async () => {
    await page.getByLabel('Request id, trace id, code, outcome, route, scope or service').fill('conflict /names');
    await page.keyboard.press('Enter');
    await errorOf(page, ids.names).waitFor();
    await errorOf(page, ids.accounts).waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Show all', exact: true }).click();
    await page.getByRole('button', { name: /^Show all \d+$/ }).click();
    await errorOf(page, ids.accounts).waitFor();
  });

  await step('a new error appears by itself, and an open row stays open', async () => {
    await errorOf(page, ids.strange).evaluate((row) => { row.open = true; row.isTheSame = true; });
    await errorOf(page, await send('names')).waitFor();
    await page.waitForFunction(() => document.querySelector('#announce').textContent.includes('/names/{name}'));
    assert.ok(await errorOf(page, ids.strange).evaluate((row) => row.open && row.isTheSame));
  });

  await step('the routes have their modes', async () => {
    const routes = await page.locator('#routes').innerText();
    assert.match(routes, /\/accounts\s+[\w.-]+\.toml:\d+\s+enforce\s+[\w.-]+\.toml:\d+/);
    assert.match(routes, /POST \/seats\/\{id\}\s+[\w.-]+\.toml:\d+\s+observe/);
  });

  const state = async () => (await (await fetch(`${ADMIN}/kill-switch`)).json()).kill_switch;
  await step('the switch asks before it acts', async () => {
    await page.getByRole('button', { name: 'Kill switch' }).click();
    await page.getByRole('heading', { name: 'Turn the kill switch on?' }).waitFor();
    assert.equal(await state(), false);
    await looks(page, 'switch');
    await page.getByRole('button', { name: 'Cancel' }).click();
    assert.equal(await state(), false);
    await page.getByRole('button', { name: 'Kill switch' }).click();
    await page.getByLabel('Your name').fill('<img src=x onerror=alert(1)>');
    await page.getByLabel('Reason').fill('orders loses its texts');
    await page.getByRole('button', { name: 'Turn on', exact: true }).click();
    await page.getByText('Kill switch on: every route is in mode off.').waitFor();
    assert.equal(await state(), true);
    assert.ok((await page.locator('#switched').innerText()).includes('by <img src=x onerror=alert(1)>'));
    await page.locator('#routes').getByText('(policy: enforce)').first().waitFor();
    await looks(page, 'on');
    await page.getByRole('button', { name: 'Turn the kill switch off' }).click();
    await page.getByRole('button', { name: 'Turn off', exact: true }).click();
    await page.locator('#switched').waitFor({ state: 'hidden' });
    assert.equal(await state(), false);
  });

  await step('a token is asked for once where one is needed, and kept in the tab', async () => {
    const guarded = await open();
    const sent = [];
    await guarded.route(/\.json|kill-switch|policy$/, async (route) => {
      const token = route.request().headers().authorization;
      sent.push(token);
      if (token === 'Bearer open sesame') await route.continue();
      else await route.fulfill({ status: 401, body: 'the admin token is missing or wrong' });
    });
    await guarded.reload();
    await guarded.getByLabel('Admin token').fill('hunter2');
    await guarded.getByRole('button', { name: 'Continue' }).click();
    await guarded.getByText('The token is wrong.').waitFor();
    await guarded.getByLabel('Admin token').fill('open sesame');
    await guarded.getByRole('button', { name: 'Continue' }).click();
    await guarded.getByText('Failed by route and service in this minute and the 14 before').waitFor();
    await guarded.reload();
    await guarded.getByText('Failed by route and service in this minute and the 14 before').waitFor();
    assert.ok(sent.includes('Bearer hunter2') && sent.at(-1) === 'Bearer open sesame');
    assert.equal(await guarded.evaluate(() => localStorage.length + document.cookie.length), 0);
    await guarded.close();
  });
  // The refusals above are 401 by intent.
  wrong.splice(0, wrong.length, ...wrong.filter((it) => !it.includes('status of 401')));

  assert.deepEqual(wrong, []);
} finally {
  await close();
}
