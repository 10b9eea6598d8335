import { fileURLToPath } from "node:url";
import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vite";

const BACKEND = "http://localhost:16000";

// One script and one style sheet: a new version is never mixed with an old one. scripts/console.sh compresses them.
export default defineConfig({
  base: "/console/",
  plugins: [vue()],
  resolve: {
    alias: { "api-client": fileURLToPath(new URL("../../../.local/client/typescript/src/index.ts", import.meta.url)) },
    dedupe: ["openapi-fetch", "socket.io-client"],
  },
  build: {
    outDir: "../built",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1000, // kilobytes, before compression
    modulePreload: { polyfill: false },
    cssCodeSplit: false,
    rolldownOptions: { output: { codeSplitting: false, entryFileNames: "assets/console-[hash].js", assetFileNames: "assets/console-[hash][extname]" } },
  },
  server: { proxy: { "/api": BACKEND, "/readyz": BACKEND, "/socket.io": { target: BACKEND, ws: true } } },
});
