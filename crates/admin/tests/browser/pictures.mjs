// The manual's pictures, in PICTURES: the errors page of ADMIN, after the requests of a few clients of SERVICE; the page that
// a browser gets of BROKEN, an address; and the file TOUR, what the demo prints, in a terminal.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { launch, routeOf } from './browser.mjs';

const { ADMIN, SERVICE, BROKEN, TOUR, PICTURES } = process.env;
// As many as fit into a picture that can be read.
const LINES = 30;

const ask = async (path, method = 'GET') => (await fetch(SERVICE + path, { method })).text();
const escaped = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
const terminal = (text) => {
  const lines = text.trimEnd().split('\n');
  const shown = lines.length > LINES ? [...lines.slice(0, LINES - 3), '…', '', lines.at(-1)] : lines;
  return `<!doctype html><meta charset="utf-8"><style>
    body { margin: 0; background: #0d1117 }
    pre { display: inline-block; margin: 0; padding: 20px 24px; color: #e6edf3; font: 14px/20px "DejaVu Sans Mono", monospace }
    b { color: #7ee787; font-weight: normal }
  </style><pre><b>$</b> error-envelope demo --once\n${escaped(shown.join('\n'))}</pre>`;
};

const { browser, close } = await launch({ width: 1180, height: 980 });
try {
  const page = await browser.newPage();
  const picture = (name, of = page) => of.screenshot({ path: join(PICTURES, `${name}.png`) });

  for (let time = 0; time < 12; time += 1) await ask('/names/ada');
  for (const path of ['/seats/7', '/seats/7', '/seats/7', '/seats/13', '/seats/13']) await ask(path, 'POST');
  for (const path of ['/reports', '/reports', '/accounts', '/tenants/7', '/panics', '/strange']) await ask(path);
  await page.goto(ADMIN);
  await routeOf(page, '/names/{name}').locator('details').first().evaluate((it) => { it.open = true; });
  await picture('errors-page');

  for (const [colorScheme, width] of [['light', 900], ['dark', 400]]) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 420 });
    await page.goto(BROKEN);
    await picture(`page-${colorScheme}`);
  }

  await page.setContent(terminal(readFileSync(TOUR, 'utf8')));
  await picture('tour', page.locator('pre'));
} finally {
  await close();
}
