// What a page of another origin may ask, and read of the answers. The browser holds the rules.

// Fetches `probe` in several ways; what came of each.
export async function checkCors(page, probe) {
  return page.evaluate(async (url) => {
    const ask = async (headers, options = {}) => {
      try {
        const response = await fetch(url, { headers, cache: "no-store", ...options });
        const body = new Uint8Array(await response.arrayBuffer());
        const field = (name) => response.headers.get(name);
        return {
          status: response.status,
          bytes: body.length,
          body: Array.from(body.slice(0, 64)),
          etag: field("ETag"),
          range: field("Content-Range"),
          length: field("Content-Length"),
        };
      } catch (error) {
        return { error: String(error) };
      }
    };
    const whole = await ask({});
    return {
      whole,
      // A simple range needs no preflight, these two conditions do.
      range: await ask({ Range: "bytes=8-39" }),
      ifRange: await ask({ Range: "bytes=8-39", "If-Range": whole.etag ?? "" }),
      ifNoneMatch: await ask({ "If-None-Match": whole.etag ?? "" }),
      head: await ask({}, { method: "HEAD" }),
      // What the daemon does not allow never leaves the browser.
      foreignField: await ask({ "X-Zonecast": "1" }),
      foreignMethod: await ask({}, { method: "PUT", body: "x" }),
    };
  }, probe);
}
