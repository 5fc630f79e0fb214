// The pages without a browser: those of SERVICE's errors at PATHS (R16), and every page and file that the errors page at
// ADMIN links to. Each arrives, loads nothing from elsewhere, and its scripts compile.
import assert from 'node:assert/strict';
import { Script } from 'node:vm';

const { SERVICE, ADMIN, PATHS } = process.env;
const MOST_LINKS = 300;

const links = (html) => [...html.matchAll(/ (?:href|src|action)="([^"]*)"/g)].map(([, link]) => link.replaceAll('&amp;', '&'));

for (const path of PATHS.trim().split('\n')) {
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

const found = new Set(['/']);
for (const path of found) {
  const response = await fetch(ADMIN + path);
  assert.equal(response.status, 200, path);
  const [text, type] = [await response.text(), response.headers.get('content-type')];
  if (type.includes('javascript')) new Script(text, { filename: path });
  if (!type.startsWith('text/html')) continue;
  assert.match(text, /<title>.+ · .+<\/title>/, path);
  for (const link of links(text)) {
    assert.match(link, /^[/#]/, `${path} links elsewhere`);
    const target = link.split('#')[0];
    // A form's address takes a POST.
    const isForm = text.includes(` action="${link}"`);
    if (target !== '' && !isForm && found.size < MOST_LINKS) found.add(target);
  }
}
for (const path of ['/charts', '/metrics/view', '/page.css', '/page.js', '/policy/view']) assert.ok(found.has(path), path);
console.log(`${found.size} pages and files of the errors page`);
