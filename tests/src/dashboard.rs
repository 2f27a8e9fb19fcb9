//! Whether a Grafana dashboard shows anything: the series that its queries read, compared with a scrape.
//!
//! Pure functions of the dashboard's JSON and of scraped text; the tests that start services bring both.

pub mod promql;

use std::collections::BTreeMap;

use serde_json::Value;

use self::promql::{PromqlError, Selector};

/// Labels that Prometheus adds to every series when it scrapes: no service writes them.
const TARGET_LABELS: [&str; 2] = ["instance", "job"];

/// Endings of series that only grow: at zero nothing has happened yet, and a rate of them shows nothing.
const GROWING: [&str; 4] = ["_total", "_bucket", "_count", "_sum"];

/// One query of a dashboard.
#[derive(Debug)]
pub struct Query {
    /// The panel's title.
    pub panel: String,
    /// The PromQL text.
    pub expression: String,
    /// Labels that the legend shows.
    pub legend_labels: Vec<String>,
    /// The series that it reads.
    pub selectors: Vec<Selector>,
}

/// One series of a scrape.
#[derive(Debug, PartialEq)]
pub struct Series {
    /// Name of the metric, with its suffix.
    pub name: String,
    /// Labels and their values.
    pub labels: BTreeMap<String, String>,
    /// Its newest value.
    pub value: f64,
}

/// All queries of a dashboard's panels.
pub fn queries(dashboard: &Value) -> Result<Vec<Query>, PromqlError> {
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let mut queries = Vec::new();
    for panel in list(dashboard, "panels") {
        // A collapsed row holds its panels.
        let nested = list(&panel, "panels");
        for panel in std::iter::once(panel).chain(nested) {
            for target in list(&panel, "targets") {
                let expression = target["expr"].as_str().unwrap_or_default().to_owned();
                queries.push(Query {
                    panel: panel["title"].as_str().unwrap_or_default().to_owned(),
                    legend_labels: legend_labels(target["legendFormat"].as_str().unwrap_or_default()),
                    selectors: promql::selectors(&expression)?,
                    expression,
                });
            }
        }
    }
    Ok(queries)
}

/// The labels in `{{...}}` of a legend.
fn legend_labels(legend: &str) -> Vec<String> {
    legend
        .split("{{")
        .skip(1)
        .filter_map(|part| part.split_once("}}"))
        .map(|(label, _)| label.trim().into())
        .collect()
}

/// The series of a scrape in Prometheus' text format. Lines that are not samples are passed over.
pub fn series(scrape: &str) -> Vec<Series> {
    scrape.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect()
}

fn sample(line: &str) -> Option<Series> {
    let end = line.find(['{', ' '])?;
    let mut labels = BTreeMap::new();
    let value = line.rsplit(' ').next()?.parse().ok()?;
    let mut rest = line[end..].strip_prefix('{').unwrap_or_default();
    while let Some((label, after)) = rest.split_once("=\"") {
        let (value, length) = quoted(after)?;
        labels.insert(label.trim_start_matches(',').trim().to_owned(), value);
        rest = &after[length..];
        if rest.starts_with('}') {
            break;
        }
    }
    Some(Series { name: line[..end].to_owned(), labels, value })
}

/// Text up to the closing quote, and how many bytes it took with the quote.
fn quoted(text: &str) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, at + 1)),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

/// The selectors of `dashboard` that no series of `scraped` satisfies, each in words: an empty list is what one wants.
pub fn empty_series(dashboard: &Value, scraped: &[Series]) -> Result<Vec<String>, PromqlError> {
    let mut problems = Vec::new();
    for query in queries(dashboard)? {
        for selector in &query.selectors {
            if let Some(problem) = problem(&query, selector, scraped) {
                problems.push(format!("panel {:?}: {problem} in `{}`", query.panel, query.expression));
            }
        }
    }
    Ok(problems)
}

fn problem(query: &Query, selector: &Selector, scraped: &[Series]) -> Option<String> {
    let named: Vec<&Series> = scraped.iter().filter(|one| one.name == selector.metric).collect();
    if named.is_empty() {
        return Some(format!("no series is called {}", selector.metric));
    }
    let matching: Vec<&&Series> = named.iter().filter(|one| accepts(selector, one)).collect();
    if matching.is_empty() {
        return Some(format!("no series of {} satisfies the matchers", selector.metric));
    }
    if grows(&selector.metric) && matching.iter().all(|one| one.value == 0.0) {
        return Some(format!("{} never moved from zero", selector.metric));
    }
    selector.grouped_by.iter().chain(&query.legend_labels).find_map(|label| {
        let known = TARGET_LABELS.contains(&label.as_str())
            || matching.iter().any(|one| one.labels.contains_key(label));
        (!known).then(|| format!("{} has no label {label}", selector.metric))
    })
}

fn grows(metric: &str) -> bool {
    // The process's CPU time comes in whole seconds, which a short test does not use up.
    GROWING.iter().any(|end| metric.ends_with(end)) && metric != "process_cpu_seconds_total"
}

fn accepts(selector: &Selector, series: &Series) -> bool {
    selector
        .matchers
        .iter()
        .filter(|matcher| !TARGET_LABELS.contains(&matcher.label.as_str()))
        .all(|matcher| matcher.accepts(series.labels.get(&matcher.label).map_or("", String::as_str)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SCRAPE: &str = "# TYPE a counter\na_total{route=\"/x\",note=\"say \\\"hi\\\", you\"} 3\nb 0\nc_bucket{le=\"+Inf\"} 2\nd_total 0\n";

    fn dashboard(expression: &str, legend: &str) -> Value {
        json!({"panels": [{"title": "P", "targets": [{"expr": expression, "legendFormat": legend}]}]})
    }

    #[test]
    fn a_scrape_is_read_with_its_labels() {
        let series = series(SCRAPE);
        assert_eq!(series.len(), 4);
        assert_eq!(series[0].labels["note"], "say \"hi\", you");
        assert_eq!(series[0].labels["route"], "/x");
        assert!(series[1].labels.is_empty());
    }

    #[test]
    fn a_query_with_series_is_fine() {
        let scraped = series(SCRAPE);
        for (expression, legend) in [
            ("sum by (route, instance) (rate(a_total{route=~\"/.*\"}[5m]))", "{{route}} {{instance}}"),
            ("b", "all"),
            ("histogram_quantile(0.5, sum by (le) (c_bucket))", ""),
        ] {
            assert_eq!(empty_series(&dashboard(expression, legend), &scraped).unwrap(), Vec::<String>::new());
        }
    }

    #[test]
    fn a_query_without_series_is_told() {
        let scraped = series(SCRAPE);
        for (expression, legend, problem) in [
            ("rate(missing[5m])", "", "no series is called missing"),
            ("rate(a_total{route=\"/y\"}[5m])", "", "no series of a_total satisfies the matchers"),
            ("sum by (method) (a_total)", "", "a_total has no label method"),
            ("b", "{{route}}", "b has no label route"),
            ("rate(d_total[5m])", "", "d_total never moved from zero"),
        ] {
            let found = empty_series(&dashboard(expression, legend), &scraped).unwrap();
            assert_eq!(found.len(), 1, "{expression}");
            assert!(found[0].contains(problem), "{found:?}");
        }
    }
}
