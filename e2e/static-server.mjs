// Serves the mock build on loopback under the headers the product uses, so that a policy violation shows here too.
import { readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';

const [dist, port] = process.argv.slice(2);

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  // The mock build registers a service worker, which Trusted Types refuse; the live journey runs with them.
  "worker-src 'self'",
].join('; ');

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
};

function fileFor(path) {
  const file = join(dist, normalize(path));
  if (file.startsWith(normalize(dist)) && statSync(file, { throwIfNoEntry: false })?.isFile()) return file;
  // A missing file must be a 404, or a stale chunk URL would answer with HTML.
  return path.startsWith('/assets/') || extname(path) ? undefined : join(dist, 'index.html');
}

createServer((request, response) => {
  const file = fileFor(new URL(request.url, 'http://localhost').pathname);
  if (!file) {
    response.writeHead(404).end();
    return;
  }
  response
    .writeHead(200, {
      'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream',
      'Content-Security-Policy': POLICY,
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'same-origin',
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cache-Control': 'no-cache',
    })
    .end(readFileSync(file));
}).listen(Number(port), '127.0.0.1');
