//! Who plays what.

use zonecast_tests::encoder::Shape;

/// How far behind the newest segment players begin, in seconds: what they hold against an
/// outage.
pub(crate) const BEHIND_SECONDS: u32 = 6;
/// What a player that has run dry fetches before it goes on, in seconds.
pub(crate) const GOAL_SECONDS: u32 = 2;

/// A player and its stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Play {
    /// A page of `tests/players/pages`.
    pub(crate) player: &'static str,
    pub(crate) shape: Shape,
    pub(crate) stream: &'static str,
    /// What its encoder does when it is started again.
    pub(crate) again: Again,
}

/// What an encoder that is started again makes of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// It reads its own playlist and goes on counting, behind an `#EXT-X-DISCONTINUITY`: the
    /// player that was there follows.
    GoesOn,
    /// It counts from the beginning, with names that were used before. No player follows
    /// that: the page loads it again, and then gets the new objects of those names.
    Begins,
}

pub(crate) const PLAYS: [Play; 5] = [
    play("hls", Shape::Fmp4, "hls-fmp4", Again::GoesOn),
    play("hls", Shape::Ts, "hls-ts", Again::GoesOn),
    play("shaka", Shape::Dash, "shaka-dash", Again::Begins),
    play("shaka", Shape::Fmp4, "shaka-fmp4", Again::Begins),
    play("shaka", Shape::Ts, "shaka-ts", Again::Begins),
];

const fn play(player: &'static str, shape: Shape, stream: &'static str, again: Again) -> Play {
    Play {
        player,
        shape,
        stream,
        again,
    }
}

impl Play {
    /// For people, and for the lines of the browser's program.
    pub(crate) fn name(&self) -> String {
        let player = match self.player {
            "hls" => "hls.js",
            other => other,
        };
        format!("{player} {:?}", self.shape)
    }

    /// The muxer's options.
    pub(crate) fn options(&self) -> String {
        let listed = 2 * BEHIND_SECONDS;
        match (self.shape, self.again) {
            (Shape::Dash | Shape::LowLatency, _) => format!("-window_size {listed}"),
            (_, Again::Begins) => format!("-hls_list_size {listed}"),
            (_, Again::GoesOn) => format!(
                "-hls_list_size {listed} \
                 -hls_flags append_list+omit_endlist+program_date_time"
            ),
        }
    }
}
