// The page of an error as a browser gets it (rule R16), at 1280 and 320 pixels, light and dark: SERVICE misbehaves at PATHS
// and answers with the built-in page. SHOTS is a folder for screenshots, where they are wanted.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { launch } from './browser.mjs';

const { SERVICE, PATHS, SHOTS } = process.env;
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WIDTHS = [1280, 320];

const { browser, close } = await launch({ width: 1280, height: 720 });
let looks = 0;
const grounds = new Set();
try {
  const page = await browser.newPage();
  const wrong = [];
  page.on('console', (message) => {
    // The browser reports each error's status.
    if (['error', 'warning'].includes(message.type()) && !message.text().includes('status of')) wrong.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.isNavigationRequest() && !request.url().endsWith('/favicon.ico')) wrong.push(`loads ${request.url()}`);
  });
  for (const path of PATHS.trim().split('\n')) {
    for (const colorScheme of ['light', 'dark']) {
      for (const width of WIDTHS) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 720 });
        const response = await page.goto(SERVICE + path);
        const headers = await response.allHeaders();
        const where = `${path} at ${width} in ${colorScheme}`;
        assert.equal(headers['content-type'], 'text/html; charset=utf-8', where);
        assert.match(headers.vary, /accept/, where);
        const heading = await page.getByRole('main').getByRole('heading', { level: 1 }).innerText();
        assert.equal(heading, await page.title(), where);
        const text = await page.getByRole('main').innerText();
        for (const part of [headers['x-error-code'], headers['x-request-id'], String(response.status())]) {
          assert.ok(text.includes(part), `${where}: no ${part} in ${text}`);
        }
        const { tooWide, ground } = await page.evaluate(() => ({
          tooWide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
          ground: getComputedStyle(document.body).backgroundColor,
        }));
        assert.ok(tooWide <= 0, `${where}: ${tooWide} px too wide`);
        grounds.add(`${colorScheme} ${ground}`);
        await page.evaluate(AXE);
        const { violations, passes } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
        assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join('\n')}`), [], where);
        assert.ok(passes.some(({ id }) => id === 'color-contrast'), `${where}: axe looked at contrast`);
        looks += 1;
        if (SHOTS && path === PATHS.trim().split('\n')[0]) {
          await page.screenshot({ path: join(SHOTS, `page-${colorScheme}-${width}.png`) });
        }
      }
    }
  }
  assert.equal(grounds.size, 2, [...grounds].join(', '));
  assert.deepEqual(wrong, []);
  console.log(`${looks} looks at pages of errors`);
} finally {
  await close();
}
