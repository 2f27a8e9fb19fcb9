// Build of the console: plain files under dist/ that any strict Content-Security-Policy can serve.
import { defineConfig } from 'vite';

const gateway = process.env['BYWASH_GATEWAY_URL'] ?? 'http://127.0.0.1:8000';

export default defineConfig({
  build: {
    target: 'es2022',
    // A data: URL would need an exception in the policy; so would an injected inline script.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  // `npm run dev` serves the page and hands the API to a gateway that runs.
  server: { host: '127.0.0.1', proxy: { '/api': gateway } },
});
