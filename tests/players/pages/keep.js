// What a page does around a player so that live playback goes on by itself.
// (Plain scripts: each page loads them before its own.)

// The clock stands: ask whether the stream goes on.
const DOUBT_MS = 300;
const ASK_MS = 300;
// So long after it was loaded a player may not play yet.
const START_MS = 5000;

// Loads the player again when the stream has gone on without it, and it has taken nothing in
// for `lost` ms: an encoder that was started again counts from the beginning, which not every
// player follows.
function keepUp(measure, url, lost, load) {
  let manifest = null;
  let [moved, asked, asking] = [0, 0, false];
  let [ahead, filled] = [0, 0];

  const ask = async () => {
    asking = true;
    try {
      const text = await (await fetch(url, { cache: "no-store" })).text();
      if (manifest === null) manifest = text;
      else if (text !== manifest && moved === 0) moved = Date.now();
    } catch { /* The next answer will do. */ }
    asking = false;
  };

  measure.looks.push(() => {
    const now = Date.now();
    if (measure.ahead > ahead) filled = now;
    ahead = measure.ahead;
    if (measure.stood < DOUBT_MS) {
      [manifest, moved] = [null, 0];
    } else if (moved > 0 && now - Math.max(moved, filled) > lost) {
      [manifest, moved] = [null, 0];
      measure.wentAt = now + START_MS;
      console.log("the stream goes on, the player does not: loading again");
      load();
    } else if (!asking && now - asked > ASK_MS) {
      asked = now;
      ask();
    }
  });
}

// Lets a player that has run dry begin again only with `goal` seconds in hand.
function refill(measure, goal) {
  const { video } = measure;
  let dry = false;
  video.addEventListener("waiting", () => {
    if (measure.ahead < 0.1 && video.currentTime > 0) {
      dry = true;
      video.pause();
    }
  });
  measure.looks.push(() => {
    if (dry && measure.ahead >= goal) {
      dry = false;
      video.play();
    }
  });
}
