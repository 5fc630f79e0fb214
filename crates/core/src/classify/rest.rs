//! Decides whether a 4xx keeps parts that no rule has read (E9), and puts them into the details.
//! [`dialect::rest`](crate::dialect::rest) chooses these parts.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::decide::{CodeSource, Decision};
use super::details;
use super::parse::Parsed;
use crate::dialect::outgoing::is_upstream_code;
use crate::dialect::rest::{RestContext, kept};
use crate::dialect::{Members, ParsedBody, ParsedError, Shape};
use crate::json::{array, string};
use error_envelope_text::tree::{Node, Tree};

/// Returns the members that are kept, with their names. `said` are the texts that the client already gets: the message,
/// the code and the issues. A list of issues has no members, and is kept under `errors`.
pub(super) fn of(
    members: Option<&Members<'_>>,
    body: Option<&ParsedError<'_>>,
    (parsed, decision): (&Parsed<'_, '_>, &Decision<'_>),
    said: [&str; 3],
) -> Vec<(Box<str>, String)> {
    let is_rewritten = parsed.status.is_client_error() && decision.passes && !parsed.is_own;
    if !is_rewritten {
        return Vec::new();
    }
    let issues = body.and_then(|body| body.issues_source);
    let is_problem = matches!(parsed.content, ParsedBody::Foreign(it) if it.shape == Shape::Problem);
    let own = parsed.context.dialect.spec().own_names;
    let is_of_form = |name: &str| matches!(name, "issues" | "upstream_code") || own.contains(&name);
    let problem = members.filter(|_| is_problem);
    let mut of_problem = problem.map_or_else(Vec::new, |members| of_problem(members, issues, said[0]));
    of_problem.retain(|(name, _)| !is_of_form(name));
    if !parsed.context.settings.keep_rest {
        return of_problem;
    }
    let is_mapped = matches!(decision.source, CodeSource::Rule(_, rule) if rule.names_code());
    // A value that does not have the form of a code is not sent as a code.
    let is_odd = |code: &&Cow<'_, str>| is_mapped || is_upstream_code(code);
    let code_read = body.and_then(|body| body.code.as_ref().filter(is_odd));
    let has_odd_code = body.is_some_and(|body| body.code.is_some()) && code_read.is_none();
    // In most errors, the rules read every field.
    let text = match members {
        Some(members) => {
            let source = body.and_then(|body| body.message_source);
            let has_place = || source.is_some_and(|source| members.names_place(source));
            if issues.is_none() && !has_odd_code && !members.has_rest() && !has_place() {
                return of_problem;
            }
            members.body()
        }
        None => std::str::from_utf8(parsed.bytes).unwrap_or_default(),
    };
    let parsed_now;
    let tree = match members.and_then(Members::tree) {
        Some(tree) => tree,
        None => {
            parsed_now = Tree::parse(text);
            &parsed_now
        }
    };
    let Some(root) = tree.root() else { return of_problem };
    let [message, code, list] = said;
    let mut texts = vec![message.to_lowercase(), code.to_lowercase(), decision.code.as_str().to_owned()];
    texts.retain(|text| !text.is_empty());
    let has_list = !list.is_empty();
    let list = Tree::parse(list);
    let issues_sent = || list.root().into_iter().flat_map(Node::children);
    let texts_in = |value: Node<'_, '_>| {
        let texts = value.children().filter_map(|text| Some(text.text()?.to_lowercase()));
        texts.filter(|text| !text.is_empty()).collect::<Vec<_>>()
    };
    texts.extend(issues_sent().filter_map(|issue| issue.field("path")).flat_map(texts_in));
    let issue_texts = issues_sent().flat_map(texts_in).collect();
    let raw_code = body.and_then(|body| body.raw_code.as_ref()).filter(|_| is_mapped);
    let names =
        body.into_iter().flat_map(|body| [&body.message, &body.wider]).flatten().chain(raw_code).chain(code_read);
    let details =
        body.and_then(|body| if let Some(Cow::Borrowed(details)) = body.details { Some(details) } else { None });
    // If the field `code` contains the code, the word under `error` is another code.
    let is_word = |name: &str| name == "error" && root.field(name).is_some_and(Node::is_text);
    let is_taken = |name: &str| {
        is_problem
            && root.field(name).is_none_or(|field| !issues.is_some_and(|issues| std::ptr::eq(issues, field.raw())))
            || members.is_some_and(|members| members.reads(name)) && !(has_odd_code && name == "code") && !is_word(name)
            || is_of_form(name)
            || parsed.context.settings.keep_fields.iter().any(|kept| **kept == *name)
    };
    let context = RestContext {
        status: parsed.status,
        target: parsed.context.target.as_str(),
        said: texts,
        read: members
            .into_iter()
            .flat_map(Members::sources)
            .chain(body.and_then(|body| body.message_source))
            .chain(details)
            .collect(),
        message: body.filter(|body| body.issues.is_none()).and_then(|body| body.message_source),
        withheld: names.map(|name| &**name).collect(),
        issues: if members.is_some() { issues } else { Some(root.raw()) }.filter(|_| has_list),
        issue_texts,
        paths: issues_sent().filter_map(|issue| issue.field("path")).collect(),
        taken: &is_taken,
    };
    let rest =
        kept(root, members.and_then(Members::error), &context).into_iter().map(|(name, value)| (name.into(), value));
    of_problem.into_iter().chain(rest).collect()
}

/// Returns the unread members of an RFC 9457 problem. The members keep their bytes, except that stack traces are
/// removed. A title is kept if it states more than the message.
fn of_problem(members: &Members<'_>, issues: Option<&str>, message: &str) -> Vec<(Box<str>, String)> {
    let is_said = |value: &RawValue| text_of(value).is_some_and(|text| message.contains(text.trim()));
    let is_read = |value: &RawValue| issues.is_some_and(|issues| std::ptr::eq(issues, value.get())) || is_said(value);
    let members =
        members.of_problem().filter(|(name, value)| !is_read(value) && !details::is_left_out(name, value.get()));
    let without_trace = |(name, value): (&str, &RawValue)| {
        Some((name.into(), details::without_traces(Cow::Borrowed(value.get()))?.into_owned()))
    };
    members.filter_map(without_trace).collect()
}

/// Returns the text, or the only text of a list.
fn text_of(value: &RawValue) -> Option<Cow<'_, str>> {
    match array(value.get()).as_deref() {
        Some([only]) => string(only),
        _ => string(value),
    }
}
