import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The dashboard is served by the binary, with a policy that allows no inline script and no data: script.
export default defineConfig({
  plugins: [react()],
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false }, reportCompressedSize: true },
  server: { proxy: { "/api": "http://127.0.0.1:9191" } },
});
