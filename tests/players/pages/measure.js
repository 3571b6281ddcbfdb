// What a viewer sees of a video element, by looking at it ten times a second. Only its clock
// counts: a look that comes late because the machine is busy finds a clock that has gone on.

const LOOK_MS = 100;
// A clock that stands for so long has stopped; less can be a decoder between two frames.
const STOP_MS = 400;
// A hole in what is buffered that players step over by themselves, in seconds.
const HOLE_MAX = 0.5;

class Measure {
  constructor(video) {
    this.video = video;
    this.errors = [];
    this.loads = 0;
    this.looks = [];
    this.begin();
    video.addEventListener("waiting", () => { this.waits += 1; });
    video.addEventListener("error", () => this.error(true, `video: ${video.error?.message}`));
    setInterval(() => this.look(), LOOK_MS);
  }

  // Forgets what was before.
  begin() {
    this.since = Date.now();
    this.played = 0;
    this.gaps = [];
    this.jumps = [];
    this.waits = 0;
    this.frames = { decoded: 0, dropped: 0 };
    this.counted = this.counters();
    this.last = { at: this.since, time: this.video.currentTime, ahead: this.ahead };
    this.wentAt = this.since;
  }

  counters() {
    const { totalVideoFrames, droppedVideoFrames } = this.video.getVideoPlaybackQuality();
    return { decoded: totalVideoFrames, dropped: droppedVideoFrames };
  }

  // Adds what was decoded since the last look; a player that loads again begins at 0.
  count() {
    const counters = this.counters();
    const began = counters.decoded < this.counted.decoded;
    for (const key of ["decoded", "dropped"]) {
      this.frames[key] += counters[key] - (began ? 0 : this.counted[key]);
    }
    this.counted = counters;
  }

  // How long the clock has not gone on; jumping is not going.
  get stood() {
    return Date.now() - this.wentAt;
  }

  // Seconds that can be played from here on.
  get ahead() {
    const { buffered, currentTime } = this.video;
    let end = currentTime;
    for (let i = 0; i < buffered.length; i += 1) {
      if (buffered.start(i) <= end + HOLE_MAX) end = Math.max(end, buffered.end(i));
    }
    return end - currentTime;
  }

  look() {
    this.count();
    const now = { at: Date.now(), time: this.video.currentTime, ahead: this.ahead };
    const went = now.time - this.last.time;
    if (went !== 0) this.went(now, went);
    for (const look of this.looks) look();
  }

  went(now, went) {
    const took = (now.at - this.last.at) / 1000;
    const jumped = went < 0 || went > took + HOLE_MAX;
    if (jumped) {
      this.jumps.push({ at: now.at, from: this.last.time, to: now.time });
    } else {
      this.played += went;
      this.wentAt = now.at;
    }
    // It went for `went` seconds of that time, or jumped; it stood for the rest.
    const stood = took - (jumped ? 0 : went);
    if (stood * 1000 >= STOP_MS) {
      this.gap(now.at - Math.round(stood * 1000), now.at);
    }
    this.last = now;
  }

  // The clock stood; `ahead` is what there was to play when it stopped.
  gap(from, to) {
    this.gaps.push({ from, to, ahead: this.last.ahead });
  }

  error(fatal, text) {
    this.errors.push({ at: Date.now(), fatal, text });
    console.log(`error${fatal ? " (fatal)" : ""}: ${text}`);
  }

  // The end of the measurement, for a clock that still stands.
  end() {
    const now = Date.now();
    if (now - this.last.at >= STOP_MS + LOOK_MS) this.gap(this.last.at, now);
  }

  report() {
    const now = Date.now();
    const { video, gaps } = this;
    return {
      since: this.since,
      until: now,
      played: this.played,
      gaps,
      jumps: this.jumps,
      waits: this.waits,
      errors: this.errors,
      loads: this.loads,
      time: video.currentTime,
      ahead: this.ahead,
      width: video.videoWidth,
      height: video.videoHeight,
      ...this.frames,
    };
  }
}
