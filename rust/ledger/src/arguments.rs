//! How the parameters of a body get their values: the call, binding, the channel, the default, the value of the task before.

/// One parameter of a body that a run may fill.
pub trait Parameter {
    /// Whether it has no default.
    fn is_required(&self) -> bool;
    /// Whether a mapping as a whole fits: false when its annotation says that none does.
    fn takes_mapping(&self) -> bool;
}

/// Where values are looked for.
pub trait Look<P> {
    /// A value.
    type Value;
    /// Why looking can fail.
    type Error;

    /// Whether the call or binding gives the parameter a value.
    fn is_given(&mut self, parameter: &P) -> Result<bool, Self::Error>;
    /// What the channel has for it: the result of the task of its name, else the key of its name.
    fn in_channel(&mut self, parameter: &P) -> Result<Option<Self::Value>, Self::Error>;
    /// What the single task before returned; None if there is none. Asked once at most.
    fn previous(&mut self) -> Result<Option<Self::Value>, Self::Error>;
    /// The item for the parameter in a value that is a mapping and has one.
    fn item(&mut self, value: &Self::Value, parameter: &P) -> Result<Option<Self::Value>, Self::Error>;
    /// The same value once more.
    fn copy(&self, value: &Self::Value) -> Self::Value;
}

/// What was found.
#[derive(Debug, PartialEq)]
pub enum Filled<V> {
    /// Values by the position of their parameter; others are given, or have a default.
    All(Vec<(usize, V)>),
    /// These parameters stay open, of so many that only the task before could fill, which returned this.
    Missing {
        /// Their positions.
        positions: Vec<usize>,
        /// How many the channel left open.
        open: usize,
        /// The value of the task before, if there is one.
        previous: Option<V>,
    },
}

/// Fills parameters from the position `from` on (those before it are the call's).
///
/// With `looks_up` what the call and binding leave open is looked up in the channel. What is required and still open gets
/// the value of the task before: of a mapping that has one the item of the parameter's name, of others the whole if no other
/// parameter is open. A single open parameter that takes a mapping is given the whole: what the data holds decides nothing.
pub fn fill<P: Parameter, L: Look<P>>(
    parameters: &[P],
    from: usize,
    looks_up: bool,
    look: &mut L,
) -> Result<Filled<L::Value>, L::Error> {
    let mut found = Vec::new();
    let mut open = Vec::new();
    for (position, parameter) in parameters.iter().enumerate().skip(from) {
        if look.is_given(parameter)? {
            continue;
        }
        if looks_up {
            if let Some(value) = look.in_channel(parameter)? {
                found.push((position, value));
                continue;
            }
        }
        if parameter.is_required() {
            open.push(position);
        }
    }
    if open.is_empty() {
        return Ok(Filled::All(found));
    }
    let previous = look.previous()?;
    let is_alone = open.len() == 1;
    let mut missing = Vec::new();
    for &position in &open {
        let parameter = &parameters[position];
        let item = match &previous {
            Some(value) if !(is_alone && parameter.takes_mapping()) => look.item(value, parameter)?,
            _ => None,
        };
        match (item, &previous) {
            (Some(item), _) => found.push((position, item)),
            (None, Some(value)) if is_alone => found.push((position, look.copy(value))),
            _ => missing.push(position),
        }
    }
    if missing.is_empty() {
        return Ok(Filled::All(found));
    }
    Ok(Filled::Missing { positions: missing, open: open.len(), previous })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    struct Plain(&'static str, bool, bool);

    impl Parameter for Plain {
        fn is_required(&self) -> bool {
            self.1
        }
        fn takes_mapping(&self) -> bool {
            self.2
        }
    }

    #[derive(Clone, Debug, PartialEq)]
    enum Value {
        Number(i32),
        Mapping(BTreeMap<&'static str, i32>),
    }

    #[derive(Default)]
    struct Around {
        given: Vec<&'static str>,
        channel: BTreeMap<&'static str, i32>,
        previous: Option<Value>,
        asked: usize,
    }

    impl Look<Plain> for Around {
        type Value = Value;
        type Error = Infallible;
        fn is_given(&mut self, parameter: &Plain) -> Result<bool, Infallible> {
            Ok(self.given.contains(&parameter.0))
        }
        fn in_channel(&mut self, parameter: &Plain) -> Result<Option<Value>, Infallible> {
            Ok(self.channel.get(parameter.0).map(|number| Value::Number(*number)))
        }
        fn previous(&mut self) -> Result<Option<Value>, Infallible> {
            self.asked += 1;
            Ok(self.previous.clone())
        }
        fn item(&mut self, value: &Value, parameter: &Plain) -> Result<Option<Value>, Infallible> {
            Ok(match value {
                Value::Mapping(items) => items.get(parameter.0).map(|number| Value::Number(*number)),
                Value::Number(_) => None,
            })
        }
        fn copy(&self, value: &Value) -> Value {
            value.clone()
        }
    }

    const AB: [Plain; 2] = [Plain("a", true, false), Plain("b", true, false)];

    fn filled(parameters: &[Plain], looks_up: bool, mut around: Around) -> (Filled<Value>, usize) {
        let Ok(found) = fill(parameters, 0, looks_up, &mut around);
        (found, around.asked)
    }

    #[test]
    fn what_is_given_is_not_looked_for_and_the_channel_comes_before_the_task_before() {
        let around = Around {
            given: vec!["a"],
            channel: [("a", 1), ("b", 2)].into(),
            previous: Some(Value::Number(3)),
            ..Around::default()
        };
        assert_eq!(filled(&AB, true, around), (Filled::All(vec![(1, Value::Number(2))]), 0));
    }

    #[test]
    fn a_single_open_parameter_gets_the_whole_value() {
        let around = Around { given: vec!["a"], previous: Some(Value::Number(3)), ..Around::default() };
        assert_eq!(filled(&AB, true, around), (Filled::All(vec![(1, Value::Number(3))]), 1));
    }

    #[test]
    fn items_go_by_name_but_to_a_parameter_that_takes_the_mapping() {
        let items = Value::Mapping([("a", 1), ("b", 2)].into());
        let around = Around { previous: Some(items.clone()), ..Around::default() };
        let expected = Filled::All(vec![(0, Value::Number(1)), (1, Value::Number(2))]);
        assert_eq!(filled(&AB, true, around), (expected, 1));
        let around = Around { previous: Some(items.clone()), ..Around::default() };
        assert_eq!(filled(&[Plain("a", true, true)], true, around), (Filled::All(vec![(0, items.clone())]), 1));
        let around = Around { given: vec![], previous: Some(items), ..Around::default() };
        let both = [Plain("a", true, true), Plain("b", true, false)];
        let expected = Filled::All(vec![(0, Value::Number(1)), (1, Value::Number(2))]);
        assert_eq!(filled(&both, true, around), (expected, 1));
    }

    #[test]
    fn what_stays_open_is_told_with_what_there_was() {
        let around = Around { previous: Some(Value::Number(3)), ..Around::default() };
        let missing = Filled::Missing { positions: vec![0, 1], open: 2, previous: Some(Value::Number(3)) };
        assert_eq!(filled(&AB, true, around), (missing, 1));
    }

    #[test]
    fn a_default_needs_nobody_and_without_looking_up_the_channel_is_not_asked() {
        let around = Around { channel: [("a", 1)].into(), ..Around::default() };
        assert_eq!(filled(&[Plain("a", false, false)], false, around), (Filled::All(vec![]), 0));
    }

    #[test]
    fn the_calls_own_positions_are_left_alone() {
        let mut around = Around { previous: Some(Value::Number(3)), ..Around::default() };
        let Ok(found) = fill(&AB, 1, true, &mut around);
        assert_eq!(found, Filled::All(vec![(1, Value::Number(3))]));
    }
}
