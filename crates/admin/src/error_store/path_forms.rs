//! Counts errors without a route by the form of the path, such as `/{word}/{number}`.

use super::week::Week;

/// The most forms with their own count; beyond this number the rarest ones are counted together. Anyone may request any
/// path, so the number of forms has no bound.
const MOST_FORMS: usize = 32;
/// The most forms that a page shows.
const MOST_SHOWN: usize = 12;

/// How often each form was seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct PathForms {
    forms: Vec<(Box<str>, Week)>,
    others: Week,
}

impl PathForms {
    /// Counts one more.
    pub(crate) fn count(&mut self, form: &str, day: u32) {
        if let Some((_, week)) = self.forms.iter_mut().find(|(known, _)| **known == *form) {
            week.add(day, 1);
            return;
        }
        if self.forms.len() == MOST_FORMS {
            self.forget_rarest(day);
        }
        let mut week = Week::default();
        week.add(day, 1);
        self.forms.push((form.into(), week));
    }

    /// The commonest forms of the last seven days, and how often all other forms were seen.
    pub(crate) fn commonest(&self, today: u32) -> (Vec<(u64, &str)>, u64) {
        let mut forms: Vec<_> = self.forms.iter().map(|(form, week)| (week.sum(today), &**form)).collect();
        forms.retain(|(count, _)| *count > 0);
        forms.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(other.1)));
        let rest = forms.split_off(forms.len().min(MOST_SHOWN));
        let others = self.others.sum(today) + rest.iter().map(|(count, _)| count).sum::<u64>();
        (forms, others)
    }

    fn forget_rarest(&mut self, day: u32) {
        let rarest = (0..self.forms.len()).min_by_key(|at| self.forms[*at].1.sum(day));
        if let Some(rarest) = rarest {
            self.others.take_over(&self.forms.swap_remove(rarest).1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::week;
    use super::{MOST_FORMS, PathForms};

    #[test]
    fn forms_are_few_and_no_count_is_lost() {
        let today = week::day(1_795_262_400_000);
        let mut forms = PathForms::default();
        for at in 0..500 {
            forms.count("/users/{…}", today);
            forms.count(&format!("/{}", "a".repeat(at)), today);
        }
        assert_eq!(forms.forms.len(), MOST_FORMS);
        let (shown, others) = forms.commonest(today);
        assert_eq!((shown[0], shown.len()), ((500, "/users/{…}"), 12));
        assert_eq!(shown.iter().map(|(count, _)| count).sum::<u64>() + others, 1_000);
    }
}
