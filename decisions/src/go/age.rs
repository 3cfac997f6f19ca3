//! Mirrors `pkg/util/duration` of k8s.io/apimachinery 0.36: lengths of time as kubectl shows them (`57s`, `4m3s`, `5h12m`, `6d`).

use std::time::Duration;

use jiff::Timestamp;

/// A length of time in at most two units, the finer one only while it matters; as `duration.HumanDuration` of apimachinery.
pub fn length(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let (days, years) = (hours / 24, hours / 24 / 365);
    if seconds < 120 {
        return format!("{seconds}s");
    }
    if minutes < 10 {
        return two(minutes, "m", seconds % 60, "s");
    }
    if hours < 3 {
        return format!("{minutes}m");
    }
    if hours < 8 {
        return two(hours, "h", minutes % 60, "m");
    }
    if hours < 48 {
        return format!("{hours}h");
    }
    if hours < 24 * 8 {
        return two(days, "d", hours % 24, "h");
    }
    if days < 2 * 365 {
        return format!("{days}d");
    }
    if days < 8 * 365 {
        return two(years, "y", days % 365, "d");
    }
    format!("{years}y")
}

fn two(coarse: u64, coarse_unit: &str, fine: u64, fine_unit: &str) -> String {
    if fine == 0 {
        format!("{coarse}{coarse_unit}")
    } else {
        format!("{coarse}{coarse_unit}{fine}{fine_unit}")
    }
}

/// How long `moment` lies back at `now`; a moment ahead is as good as now.
pub fn since(moment: Timestamp, now: Timestamp) -> String {
    length(Duration::try_from(now.duration_since(moment)).unwrap_or_default())
}

/// How far `moment` lies ahead of `now`.
pub fn until(moment: Timestamp, now: Timestamp) -> String {
    since(now, moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_finer_unit_goes_as_the_length_grows() {
        let of = |seconds| length(Duration::from_secs(seconds));
        for (seconds, shown) in [
            (0, "0s"),
            (57, "57s"),
            (119, "119s"),
            (243, "4m3s"),
            (300, "5m"),
            (700, "11m"),
            (7200, "120m"),
            (18720, "5h12m"),
            (40 * 3600, "40h"),
            (50 * 3600, "2d2h"),
            (30 * 86400, "30d"),
            (800 * 86400, "2y70d"),
        ] {
            assert_eq!(of(seconds), shown);
        }
    }
}
