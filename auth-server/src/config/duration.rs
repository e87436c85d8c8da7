//! Durations as people write them: `90s`, `10m`, `12h`, `30d`.

use oauth_types::Ttl;

/// Ten years: anything longer is a typing mistake.
const SECONDS_MAX: i64 = 3650 * 86_400;

/// Reads a number and a unit.
pub(super) fn parse(text: &str) -> Result<Ttl, String> {
    let wrong = || format!("`{text}` is not a duration; write a number and s, m, h or d, as in 10m");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: i64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    match number.checked_mul(factor) {
        Some(seconds) if (0..=SECONDS_MAX).contains(&seconds) => Ok(Ttl(seconds)),
        _ => Err(format!("`{text}` is out of range; at most 3650d")),
    }
}

/// Writes the shortest form that [`parse`] reads back.
pub(super) fn show(ttl: Ttl) -> String {
    [(86_400, 'd'), (3_600, 'h'), (60, 'm')]
        .into_iter()
        .find(|(factor, _)| ttl.0 > 0 && ttl.0 % factor == 0)
        .map_or_else(|| format!("{}s", ttl.0), |(factor, unit)| format!("{}{unit}", ttl.0 / factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_reads_back() {
        for text in ["0s", "1s", "61s", "10m", "90m", "12h", "36h", "1d", "90d"] {
            let ttl = parse(text).unwrap();
            assert_eq!(parse(&show(ttl)), Ok(ttl), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_the_form_that_is_right() {
        for text in ["", "10", "m", "-1s", "1.5h", "10 m", "99999999999999999999s", "4000d", "10ü"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
