// The manual's pictures, in PICTURES: the errors page of ADMIN in light and dark, after the requests of a few clients of
// SERVICE; the page that a browser gets of BROKEN, an address; and each of TERMINALS, what NAME.ansi there has.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AnsiUp } from 'ansi_up';
import { launch } from './browser.mjs';

const { ADMIN, SERVICE, BROKEN, TERMINALS, PICTURES } = process.env;

const ask = async (path, method = 'GET') => (await fetch(SERVICE + path, { method })).text();
const terminal = (text) => `<!doctype html><meta charset="utf-8"><style>
    body { margin: 0; background: #0d1117 }
    pre { display: inline-block; margin: 0; padding: 20px 24px; color: #e6edf3; font: 14px/20px "DejaVu Sans Mono", monospace;
      max-width: 112ch; overflow: hidden; text-overflow: ellipsis }
  </style><pre>${new AnsiUp().ansi_to_html(text.trimEnd())}</pre>`;

const { browser, close } = await launch({ width: 1180, height: 1420 });
try {
  const page = await browser.newPage();
  const picture = (name, of = page) => of.screenshot({ path: join(PICTURES, `${name}.png`) });

  for (let time = 0; time < 12; time += 1) await ask('/names/ada');
  for (const path of ['/seats/7', '/seats/7', '/seats/7', '/seats/13', '/seats/13']) await ask(path, 'POST');
  for (const path of ['/reports', '/reports', '/accounts', '/tenants/7', '/panics', '/strange']) await ask(path);
  for (const [colorScheme, name] of [['light', 'errors-page'], ['dark', 'errors-page-dark']]) {
    await page.emulateMedia({ colorScheme });
    await page.goto(ADMIN);
    await page.locator('.error', { hasText: '/accounts' }).first().locator('summary').click();
    // A thread of its own reads the bodies.
    await page.getByText('"Too short."').first().waitFor();
    await picture(name);
  }

  for (const [colorScheme, width] of [['light', 900], ['dark', 400]]) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 420 });
    await page.goto(BROKEN);
    await picture(`page-${colorScheme}`);
  }

  for (const name of TERMINALS.split(' ')) {
    await page.setContent(terminal(readFileSync(join(PICTURES, `${name}.ansi`), 'utf8')));
    await picture(name, page.locator('pre'));
  }
} finally {
  await close();
}
