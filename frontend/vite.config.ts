import { readFileSync } from 'node:fs';
import { fileURLToPath, URL } from 'node:url';
import tailwindcss from '@tailwindcss/vite';
import { tanstackRouter } from '@tanstack/router-plugin/vite';
import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** Preloads the one font file every page needs, so text does not reflow after first paint. */
function preloadFont(pattern: RegExp): Plugin {
  return {
    name: 'preload-font',
    transformIndexHtml: {
      order: 'post',
      handler(_html, { bundle }) {
        const file = Object.keys(bundle ?? {}).find((name) => pattern.test(name));
        if (!file) return [];
        return [
          {
            tag: 'link',
            attrs: { rel: 'preload', as: 'font', type: 'font/woff2', href: `/${file}`, crossorigin: '' },
            injectTo: 'head',
          },
        ];
      },
    },
  };
}

/** Serves MSW's service worker from its package, in the mock build only: nothing to vendor, nothing to ship. */
function mockWorker(): Plugin {
  const file = fileURLToPath(import.meta.resolve('msw/mockServiceWorker.js'));
  return {
    name: 'mock-worker',
    configureServer(server) {
      server.middlewares.use('/mockServiceWorker.js', (_request, response) => {
        response.setHeader('Content-Type', 'text/javascript').end(readFileSync(file));
      });
    },
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: 'mockServiceWorker.js', source: readFileSync(file) });
    },
  };
}

const gateway = process.env.CODEX_POOLER_URL ?? 'http://127.0.0.1:4000';

export default defineConfig(({ mode }) => ({
  plugins: [
    tanstackRouter({ target: 'react', autoCodeSplitting: true, quoteStyle: 'single', semicolons: true }),
    react(),
    tailwindcss(),
    preloadFont(/inter-latin-wght-normal.*\.woff2$/),
    mode === 'mock' && mockWorker(),
  ],
  resolve: {
    alias: {
      '@': fileURLToPath(new URL('./src', import.meta.url)),
      '@mocks': fileURLToPath(new URL('./mocks', import.meta.url)),
    },
  },
  server: {
    proxy: mode === 'mock' ? {} : { '/api': { target: gateway, changeOrigin: false } },
  },
  build: {
    target: 'es2022',
    sourcemap: 'hidden',
    assetsInlineLimit: 0, // data: URLs would need a wider CSP
    manifest: true,
    rolldownOptions: {
      input: mode === 'mock' ? ['index.html', 'gallery/index.html'] : 'index.html',
      output: {
        codeSplitting: {
          groups: [
            { name: 'react', test: /node_modules\/(react|react-dom|scheduler|use-sync-external-store)\// },
            { name: 'tanstack', test: /node_modules\/@tanstack\/(react-)?(router|query|history|store)/ },
            // Small parts of every control; without a place of their own they drag whole controls into the shell.
            { name: 'base', test: /node_modules\/@base-ui\/(utils|react\/internals\/csp-context)\// },
          ],
        },
      },
    },
  },
  test: {
    environment: 'jsdom',
    setupFiles: './tests/setup.ts',
    include: ['src/**/*.test.{ts,tsx}', 'mocks/**/*.test.ts'],
    restoreMocks: true,
    testTimeout: 180_000,
  },
}));
