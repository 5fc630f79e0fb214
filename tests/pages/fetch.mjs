// The pages without a browser: those of SERVICE's errors at PAGES (R16), and the admin page at ADMIN with its files. Each
// arrives, loads nothing from elsewhere, and its script compiles. Each error of SERVICE at PATHS is found by its id.
import assert from 'node:assert/strict';
import { Script } from 'node:vm';

const { SERVICE, ADMIN, PAGES, PATHS } = process.env;
const FEWEST = 35;

const lines = (text) => text.trim().split('\n');
const links = (html) => [...html.matchAll(/ (?:href|src|action)="([^"]*)"/g)].map(([, link]) => link);

for (const path of lines(PAGES)) {
  const response = await fetch(SERVICE + path, { headers: { accept: 'text/html' } });
  const html = await response.text();
  assert.equal(response.headers.get('content-type'), 'text/html; charset=utf-8', path);
  assert.match(response.headers.get('content-security-policy'), /^default-src 'none'/, path);
  assert.match(response.headers.get('vary'), /accept/, path);
  const [, title] = html.match(/<title>(.*)<\/title>/);
  for (const part of [`<h1>${title}</h1>`, response.headers.get('x-error-code'), response.headers.get('x-request-id'), `${response.status}`]) {
    assert.ok(html.includes(part), `${path}: no ${part} in ${html}`);
  }
  assert.deepEqual(links(html), [], path);
}

const page = await (await fetch(ADMIN)).text();
for (const link of links(page)) {
  assert.match(link, /^[/#]/, `${link} is elsewhere`);
  if (link.startsWith('#')) continue;
  const response = await fetch(ADMIN + link);
  assert.equal(response.status, 200, link);
  if (response.headers.get('content-type').includes('javascript')) new Script(await response.text(), { filename: link });
}

let found = 0;
for (const path of lines(PATHS)) {
  const response = await fetch(SERVICE + path, { signal: AbortSignal.timeout(30_000) });
  // One is broken off by intent.
  await response.text().catch(() => '');
  const [id, code] = ['x-request-id', 'x-error-code'].map((header) => response.headers.get(header));
  if (!code) continue;
  // The record is closed once the server has dropped the response, a moment after the client has it.
  let errors = [];
  for (let look = 0; look < 1000 && errors.length === 0; look += 1) {
    ({ errors } = await (await fetch(`${ADMIN}/errors.json?search=${id}`)).json());
  }
  const [error, ...others] = errors;
  assert.deepEqual([error?.code, error?.status, error?.route, others.length], [code, response.status, path, 0], path);
  found += 1;
}
assert.ok(found >= FEWEST, `${found} errors of the demo`);
console.log(`the pages arrive, and ${found} errors of the demo are found by their ids`);
