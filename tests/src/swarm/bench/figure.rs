//! What the gateway's figures are judged by: its own value among those of its peers. Pure.

use anyhow::{Context, Result};

use super::contest::Values;
use super::servers::Contestant;

pub use crate::figure::{Figure, Spread, number, write_report};

impl Figure {
    /// A figure of the gateway among `values`; `judge` gives its target and whether it holds.
    ///
    /// # Errors
    /// When the gateway was not measured.
    pub fn judged(
        name: &str,
        unit: &'static str,
        values: &Values,
        judge: impl FnOnce(f64, &dyn Fn(Contestant) -> Option<f64>) -> (String, bool),
    ) -> Result<Self> {
        let ours = values
            .get(&Contestant::Bywash)
            .with_context(|| format!("{name}: the gateway was not measured"))?;
        let of = |who: Contestant| values.get(&who).map(|values| Spread::of(values).value);
        let (target, holds) = judge(Spread::of(ours).value, &of);
        let figure = Self::new(name, unit, ours, target, holds);
        Ok(values
            .iter()
            .fold(figure, |figure, (who, values)| figure.with(&who.to_string(), Spread::of(values))))
    }
}

/// At least this share of the raw writer.
pub fn share_of_raw(share: f64) -> impl Fn(f64, &dyn Fn(Contestant) -> Option<f64>) -> (String, bool) {
    move |ours, of| {
        let raw = of(Contestant::Raw).unwrap_or(f64::INFINITY);
        let target = format!(">= {:.0} % of raw, {}", share * 100.0, number(share * raw));
        (target, ours >= share * raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(ours: &[f64], raw: &[f64]) -> Values {
        Values::from([(Contestant::Bywash, ours.to_vec()), (Contestant::Raw, raw.to_vec())])
    }

    #[test]
    fn a_figure_is_the_median_and_is_judged_by_the_medians_of_others() {
        let raw = [90.0, 100.0, 400.0];
        for (ours, holds) in [([95.0, 80.0, 1.0], false), ([90.0, 91.0, 1.0], true)] {
            let figure = Figure::judged("x", "events", &values(&ours, &raw), share_of_raw(0.9)).unwrap();
            assert_eq!(
                (figure.holds, figure.beside["raw"]["max"].as_f64()),
                (holds, Some(400.0)),
                "{figure:?}"
            );
        }
        let alone = Values::from([(Contestant::Bywash, vec![1.0])]);
        assert!(
            !Figure::judged("x", "events", &alone, share_of_raw(0.9)).unwrap().holds,
            "nothing to compare with"
        );
    }
}
