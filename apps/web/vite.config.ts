import { defineConfig } from 'vite'
import react from '@vitejs/plugin-react'

/** `vite build apps/web` makes dist/, which the control plane serves; `vite apps/web` is for work on the pages. */
export default defineConfig({
  plugins: [react()],
  build: {
    outDir: 'dist',
    target: 'es2023',
    // Everything is a file of its own: the content security policy allows neither inline scripts nor data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    host: '127.0.0.1',
    port: 8421,
    proxy: { '/api': { target: 'http://127.0.0.1:8420' } },
  },
})
