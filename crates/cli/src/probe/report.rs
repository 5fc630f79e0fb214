//! The report: for people, for programs, for CI.

use std::fmt::Write;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use serde_json::{Value, json};

use super::finding::{Finding, Line, Outcome};
use super::table::RULES;
use crate::failure::CommandError;
use crate::report::json_text;
use crate::text::counted;

/// All findings.
pub(super) struct Report {
    pub(super) url: String,
    pub(super) policy: Option<String>,
    pub(super) lines: Vec<Line>,
    /// The first steps, if the layer is not there.
    pub(super) advice: Vec<String>,
}

/// The outcome of a rule.
struct RuleReport<'a> {
    rule: &'static str,
    about: &'static str,
    kept: Vec<&'a str>,
    broken: Vec<&'a str>,
}

impl Report {
    /// How many lines passed, failed, and were skipped.
    pub(super) fn counts(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        for line in &self.lines {
            counts[match line.outcome {
                Outcome::Passed => 0,
                Outcome::Failed(_) => 1,
                Outcome::Skipped(_) => 2,
            }] += 1;
        }
        counts
    }

    fn rules(&self) -> Vec<RuleReport<'_>> {
        let report = |(rule, about): &(&'static str, &'static str)| {
            let broken = self.lines.iter().filter(|line| line.breaks(rule)).map(|line| &*line.name).collect();
            let kept = self.lines.iter().filter(|line| line.kept.iter().any(|kept| kept == rule));
            RuleReport { rule, about, kept: kept.map(|line| &*line.name).collect(), broken }
        };
        RULES.iter().map(report).collect()
    }

    /// The report for people: each line with its errors below it, then each rule, then the first steps.
    pub(super) fn human(&self) -> String {
        let mut text = self.title() + "\n\n";
        text.extend(self.lines.iter().map(Line::human));
        text.push('\n');
        let (checked, unchecked): (Vec<_>, Vec<_>) = self.rules().into_iter().partition(RuleReport::is_checked);
        text.extend(checked.iter().map(RuleReport::human));
        if !unchecked.is_empty() {
            let unchecked: Vec<_> = unchecked.iter().map(|report| report.rule).collect();
            let _ = writeln!(text, "not checked: {}", unchecked.join(", "));
        }
        let [passed, failed, skipped] = self.counts();
        let _ = writeln!(text, "\n{} lines: {passed} passed, {failed} failed, {skipped} skipped", self.lines.len());
        if !self.advice.is_empty() {
            let _ = writeln!(text, "\n{}", self.advice.join("\n"));
        }
        text
    }

    fn title(&self) -> String {
        let by =
            self.policy.as_deref().map_or_else(|| "without a policy".to_owned(), |policy| format!("with {policy}"));
        format!("{}, {by}", self.url)
    }

    pub(super) fn json(&self) -> String {
        let rules: Vec<_> = self.rules().iter().map(RuleReport::object).collect();
        let [passed, failed, skipped] = self.counts();
        json_text(&json!({
            "url": self.url,
            "policy": self.policy,
            "passed": passed,
            "failed": failed,
            "skipped": skipped,
            "lines": self.lines.iter().map(Line::object).collect::<Vec<_>>(),
            "rules": rules,
            "advice": self.advice,
        }))
    }

    pub(super) fn junit(&self) -> Result<String, CommandError> {
        let mut suite = TestSuite::new(self.title());
        suite.add_test_cases(self.lines.iter().map(Line::case));
        if !self.advice.is_empty() {
            suite.set_system_out(self.advice.join("\n"));
        }
        let mut report = quick_junit::Report::new("error-envelope probe");
        report.add_test_suite(suite);
        let text = report.to_string().map_err(|error| CommandError::Io(format!("JUnit: {error}")))?;
        Ok(if text.ends_with('\n') { text } else { text + "\n" })
    }
}

impl RuleReport<'_> {
    fn is_checked(&self) -> bool {
        !self.kept.is_empty() || !self.broken.is_empty()
    }

    fn human(&self) -> String {
        let Self { rule, about, kept, broken } = self;
        match (kept.len(), broken.len()) {
            (kept, 0) => format!("{rule:<4} {about}: kept in {}\n", counted(kept, "probe")),
            (kept, count) => {
                let broken = broken.join(", ");
                format!("{rule:<4} {about}: BROKEN in {} ({broken}), kept in {kept}\n", counted(count, "probe"))
            }
        }
    }

    fn object(&self) -> Value {
        let Self { rule, about, kept, broken } = self;
        let outcome = match (kept.len(), broken.len()) {
            (0, 0) => "not_asked",
            (_, 0) => "kept",
            (_, _) => "broken",
        };
        json!({ "rule": rule, "about": about, "outcome": outcome, "kept_by": kept, "broken_by": broken })
    }
}

impl Line {
    fn breaks(&self, rule: &str) -> bool {
        matches!(&self.outcome, Outcome::Failed(findings) if findings.iter().any(|finding| finding.rule == rule))
    }

    fn human(&self) -> String {
        let exchanged = match (&self.sent, &self.got) {
            (Some(sent), Some(got)) => format!("{sent} -> {got}"),
            (Some(sent), None) => sent.clone(),
            (None, _) => self.about.to_owned(),
        };
        let below = |finding: &Finding| format!("       {:<4} {}\n", finding.rule, finding.wrong);
        let curl = self.curl.iter().map(|curl| format!("       $ {curl}\n"));
        let (mark, end) = match &self.outcome {
            Outcome::Passed => ("ok", format!("  [{}]\n", self.kept.join(" "))),
            Outcome::Failed(findings) => {
                ("FAIL", format!("\n{}", findings.iter().map(below).chain(curl).collect::<String>()))
            }
            Outcome::Skipped(why) => ("skip", format!("\n       {why}\n")),
        };
        format!("{mark:<4} {:<23} {exchanged}{end}", self.name)
    }

    fn object(&self) -> Value {
        let (outcome, findings, why) = match &self.outcome {
            Outcome::Passed => ("passed", Vec::new(), None),
            Outcome::Failed(findings) => {
                let object = |it: &Finding| json!({ "rule": it.rule, "wrong": it.wrong });
                ("failed", findings.iter().map(object).collect(), None)
            }
            Outcome::Skipped(why) => ("skipped", Vec::new(), Some(why)),
        };
        json!({
            "name": self.name,
            "about": self.about,
            "outcome": outcome,
            "sent": self.sent,
            "curl": self.curl,
            "got": self.got,
            "kept": self.kept,
            "findings": findings,
            "why": why,
        })
    }

    fn case(&self) -> TestCase {
        let mut case = TestCase::new(&*self.name, self.outcome.junit(self.curl.as_deref()));
        case.set_classname("error-envelope.probe");
        if let Some(sent) = &self.sent {
            let got = self.got.as_deref().unwrap_or("no answer");
            case.set_system_out(format!("{}: {sent} -> {got}", self.about));
        }
        case
    }
}

impl Outcome {
    fn junit(&self, curl: Option<&str>) -> TestCaseStatus {
        match self {
            Self::Passed => TestCaseStatus::success(),
            Self::Failed(findings) => {
                let wrong: Vec<_> = findings.iter().map(|it| format!("{}: {}", it.rule, it.wrong)).collect();
                let rules: Vec<_> = findings.iter().map(|it| it.rule.as_str()).collect();
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_type(rules.join(" "));
                status.set_message(wrong.first().cloned().unwrap_or_default());
                let lines = wrong.into_iter().chain(curl.map(|curl| format!("$ {curl}")));
                status.set_description(lines.collect::<Vec<_>>().join("\n"));
                status
            }
            Self::Skipped(why) => TestCaseStatus::skipped().set_message(why).clone(),
        }
    }
}
