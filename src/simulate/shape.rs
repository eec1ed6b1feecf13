//! Loads as they are told: a step, a ramp, a day, a flash crowd. Pure.

use super::trace::{Load, Trace};

/// A built-in load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The same all the time.
    Constant,
    /// A tenth; for the middle half, all at once.
    Step,
    /// From a tenth up over half of the time, a quarter at the top, and down again.
    Ramp,
    /// A tenth at night, all at noon.
    Day,
    /// A fifth; after a quarter of the time all come within a minute, and leave one after another.
    FlashCrowd,
}

/// How a shape is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Played {
    /// The shape.
    pub shape: Shape,
    /// Users at its peak.
    pub users: u32,
    /// How long it lasts.
    pub seconds: u32,
    /// Percent by which each second may differ, either way.
    pub noise_percent: f64,
    /// Which noise.
    pub seed: u64,
}

impl Played {
    /// As a trace.
    pub fn trace(&self) -> Trace {
        let mut noise = Noise(self.seed);
        Trace::each_second((0..self.seconds).map(|second| {
            let share = share(self.shape, f64::from(second), f64::from(self.seconds));
            let factor = 1.0 + noise.next() * self.noise_percent / 100.0;
            let users = super::whole((f64::from(self.users) * share * factor).round());
            Load { users: u32::try_from(users).unwrap_or(0), requests_per_second: None }
        }))
    }
}

/// Share of the peak in a second.
fn share(shape: Shape, second: f64, seconds: f64) -> f64 {
    const QUIET: f64 = 0.1;
    let part = second / seconds;
    match shape {
        Shape::Constant => 1.0,
        Shape::Step => {
            if (0.25..0.75).contains(&part) {
                1.0
            } else {
                QUIET
            }
        }
        Shape::Ramp => QUIET + (1.0 - QUIET) * (part / 0.5).min((1.0 - part) / 0.25).min(1.0),
        Shape::Day => {
            let height = (1.0 - (part * std::f64::consts::TAU).cos()) / 2.0;
            QUIET + (1.0 - QUIET) * height * height
        }
        Shape::FlashCrowd => {
            const BEFORE: f64 = 0.2;
            let since = second - seconds / 4.0;
            let top = since.min(60.0);
            let come = (top / 60.0).max(0.0);
            let left = (-(since - top) / (seconds / 8.0)).exp();
            BEFORE + (1.0 - BEFORE) * come * left
        }
    }
}

/// Numbers from -1 to 1 that look random and are the same for the same seed (`SplitMix64`).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let high = u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or(0);
        f64::from(high) / f64::from(u32::MAX) * 2.0 - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(shape: Shape, seconds: u32) -> Vec<u32> {
        let played = Played { shape, users: 1000, seconds, noise_percent: 0.0, seed: 0 };
        let trace = played.trace();
        (0..seconds).map(|second| trace.at(second).users).collect()
    }

    #[test]
    fn every_shape_reaches_its_peak_and_never_more() {
        for shape in [Shape::Constant, Shape::Step, Shape::Ramp, Shape::Day, Shape::FlashCrowd] {
            assert_eq!(users(shape, 3600).into_iter().max(), Some(1000), "{shape:?}");
        }
    }

    #[test]
    fn they_look_as_they_are_described() {
        let at = |shape, second: usize| users(shape, 3600)[second];
        assert_eq!([899, 900, 2699, 2700].map(|second| at(Shape::Step, second)), [100, 1000, 1000, 100]);
        assert_eq!([0, 900, 1800, 2700].map(|second| at(Shape::Ramp, second)), [100, 550, 1000, 1000]);
        assert_eq!([0, 1800].map(|second| at(Shape::Day, second)), [100, 1000]);
        assert_eq!([899, 930, 960].map(|second| at(Shape::FlashCrowd, second)), [200, 600, 1000]);
        assert!(at(Shape::FlashCrowd, 3599) < 210);
    }

    #[test]
    fn noise_stays_within_its_percent_uses_it_and_is_the_same_for_the_same_seed() {
        let played =
            Played { shape: Shape::Constant, users: 1000, seconds: 3600, noise_percent: 8.0, seed: 7 };
        let trace = played.trace();
        let all: Vec<u32> = (0..3600).map(|second| trace.at(second).users).collect();
        let (least, most) = (all.iter().min().unwrap(), all.iter().max().unwrap());
        assert!((920..925).contains(least) && (1076..=1080).contains(most), "{least} {most}");
        assert_eq!(trace, played.trace());
        assert_ne!(trace, Played { seed: 8, ..played }.trace());
    }
}
