// The pages and the players' files, on http://localhost: another origin than the streams'.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8" };

// The file behind a path; `/modules/` are the installed packages.
function file(url) {
  const path = normalize(new URL(url, "http://localhost").pathname);
  if (path.startsWith("/modules/")) return join(HERE, "node_modules", path.slice("/modules/".length));
  return path.startsWith("/pages/") ? join(HERE, path) : null;
}

async function answer(request, response) {
  const path = file(request.url);
  try {
    const type = path && TYPES[extname(path)];
    if (!type) throw new Error("not served");
    const body = await readFile(path);
    response.writeHead(200, { "Content-Type": type, "Cache-Control": "no-store" }).end(body);
  } catch {
    response.writeHead(404).end();
  }
}

// Listens on a free port of 127.0.0.1.
export async function serve() {
  const server = createServer(answer);
  await new Promise((listens, fails) => {
    server.once("error", fails).listen(0, "127.0.0.1", listens);
  });
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { site: `http://localhost:${server.address().port}`, close };
}
