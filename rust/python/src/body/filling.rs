//! `_core.Filler`: the arguments of a definition's bodies, by the rule of `graflow_ledger::fill`.
//!
//! Owns parameters as Python has them, and the words for what is missing are Python's (`_body/arguments.py`). Where values
//! come from is behind [`Source`]: a channel here, what a worker was told there.
use graflow_ledger::{fill, Filled, Look};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::body::parameters::plain_parameters;
use crate::tables::values::result_key;

/// One parameter that a run may fill.
#[derive(FromPyObject)]
pub(crate) struct Parameter {
    pub name: Py<PyString>,
    pub result_key: Py<PyString>,
    required: bool,
    takes_mapping: bool,
}

impl Parameter {
    pub(crate) fn new(name: &Bound<'_, PyString>, required: bool, takes_mapping: bool) -> PyResult<Self> {
        let result_key = result_key(name)?.unbind();
        Ok(Self { name: name.clone().unbind(), result_key, required, takes_mapping })
    }
}

impl graflow_ledger::Parameter for Parameter {
    fn is_required(&self) -> bool {
        self.required
    }
    fn takes_mapping(&self) -> bool {
        self.takes_mapping
    }
}

/// Where values come from.
pub(crate) trait Source<'py> {
    /// What the channel has under a key.
    fn value(&mut self, key: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyAny>>>;
    /// What the single task before returned.
    fn previous(&mut self) -> PyResult<Option<Bound<'py, PyAny>>>;
}

/// Fills the parameters of one definition.
#[pyclass(frozen, module = "graflow_fast._core")]
pub struct Filler {
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) looks_up: bool,
    /// Whether arguments of other names may be bound.
    #[pyo3(get)]
    takes_any: bool,
}

impl Filler {
    /// That of a definition, made when it is first asked for and kept there.
    pub(crate) fn of<'py>(definition: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Filler>> {
        let py = definition.py();
        let known = definition.getattr(intern!(py, "filler"))?;
        if let Ok(known) = known.cast_into::<Filler>() {
            return Ok(known);
        }
        let made = Bound::new(py, Filler::new(definition)?)?;
        definition.setattr(intern!(py, "filler"), &made)?;
        Ok(made)
    }

    fn takes(&self, name: &Bound<'_, PyAny>) -> PyResult<bool> {
        let is_one = |parameter: &Parameter| parameter.name.as_ptr() == name.as_ptr();
        if self.parameters.iter().any(is_one) {
            return Ok(true);
        }
        for parameter in &self.parameters {
            if name.eq(&parameter.name)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn names<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyString>> {
        self.parameters.iter().map(|parameter| parameter.name.bind(py).clone()).collect()
    }

    /// Whether a parameter without default is not among these bound arguments.
    pub(crate) fn needs_previous(&self, bound: Option<&Bound<'_, PyDict>>) -> PyResult<bool> {
        for parameter in self.parameters.iter().filter(|parameter| parameter.required) {
            match bound {
                Some(bound) if bound.contains(&parameter.name)? => {}
                _ => return Ok(true),
            }
        }
        Ok(false)
    }

    /// The keyword arguments of a body: those bound and given, and what the run fills in. None for none.
    ///
    /// `from` parameters are filled by position; `given` are the call's own.
    pub(crate) fn arguments<'py>(
        &self,
        task_id: &Bound<'py, PyString>,
        bound: Option<Bound<'py, PyDict>>,
        from: usize,
        given: Option<&Bound<'py, PyDict>>,
        source: &mut impl Source<'py>,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let py = task_id.py();
        let mut arguments = bound.filter(|bound| !bound.is_empty());
        if let Some(bound) = arguments.as_ref().filter(|_| !self.takes_any) {
            for name in bound.keys() {
                if !self.takes(&name)? {
                    words(py)?.call_method1(intern!(py, "refuse_unknown"), (task_id, self.names(py), bound))?;
                }
            }
        }
        if let Some(given) = given.filter(|given| !given.is_empty()) {
            arguments.get_or_insert_with(|| PyDict::new(py)).update(given.as_mapping())?;
        }
        if self.parameters.is_empty() {
            return Ok(arguments);
        }
        let mut look = Looking { py, arguments: arguments.as_ref(), source };
        let values = match fill(&self.parameters, from, self.looks_up, &mut look)? {
            Filled::All(values) => values,
            Filled::Missing { positions, open, previous } => {
                let missing: Vec<_> =
                    positions.iter().map(|position| self.parameters[*position].name.bind(py)).collect();
                let said = (task_id, missing, self.looks_up, open, previous.is_some(), previous);
                return Err(PyErr::from_value(words(py)?.call_method1(intern!(py, "missing"), said)?));
            }
        };
        for (position, value) in values {
            let name = &self.parameters[position].name;
            arguments.get_or_insert_with(|| PyDict::new(py)).set_item(name, value)?;
        }
        Ok(arguments)
    }
}

#[pymethods]
impl Filler {
    #[new]
    fn new(definition: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = definition.py();
        let looks_up = definition.getattr(intern!(py, "resolve_keyword_args"))?.is_truthy()?;
        let function = definition.getattr(intern!(py, "func"))?;
        let skips_first = definition.getattr(intern!(py, "inject_context"))?.is_truthy()?;
        let is_handed_more = !definition.getattr(intern!(py, "injected"))?.is_none();
        if let (false, Some((parameters, takes_any))) = (is_handed_more, plain_parameters(&function, skips_first)?) {
            return Ok(Self { parameters, looks_up, takes_any });
        }
        let parameters: Vec<Parameter> = definition.getattr(intern!(py, "parameters"))?.extract()?;
        let takes_any = definition.getattr(intern!(py, "takes_any"))?.is_truthy()?;
        Ok(Self { parameters, looks_up, takes_any })
    }

    /// That of parameters as another one has listed them.
    #[staticmethod]
    fn of_listed(
        py: Python<'_>,
        listed: Vec<(Py<PyString>, bool, bool)>,
        looks_up: bool,
        takes_any: bool,
    ) -> PyResult<Self> {
        let parameters = listed
            .into_iter()
            .map(|(name, required, takes_mapping)| Parameter::new(name.bind(py), required, takes_mapping))
            .collect::<PyResult<_>>()?;
        Ok(Self { parameters, looks_up, takes_any })
    }

    /// Of each parameter: its name, whether it has no default, whether a mapping may be what it asks for.
    #[getter]
    fn listed<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let parameters = self.parameters.iter();
        PyTuple::new(py, parameters.map(|each| (&each.name, each.required, each.takes_mapping)).collect::<Vec<_>>())
    }

    /// The keys of the channel under which values for parameters may be.
    #[getter]
    fn keys<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyString>> {
        if !self.looks_up {
            return Vec::new();
        }
        self.parameters.iter().flat_map(|each| [each.result_key.bind(py).clone(), each.name.bind(py).clone()]).collect()
    }

    /// That of a definition, made when it is first asked for and kept there.
    #[staticmethod]
    #[pyo3(name = "of")]
    fn of_definition<'py>(definition: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Filler>> {
        Filler::of(definition)
    }

    /// The keyword arguments of a body whose values are in a channel of this process.
    #[pyo3(signature = (task_id, bound, channel, previous = None, positional = 0, given = None))]
    fn fill<'py>(
        &self,
        task_id: &Bound<'py, PyString>,
        bound: Bound<'py, PyDict>,
        channel: &Bound<'py, PyAny>,
        previous: Option<Bound<'py, PyAny>>,
        positional: usize,
        given: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let mut source = ChannelSource { channel, previous };
        let found = self.arguments(task_id, Some(bound), positional, given.as_ref(), &mut source)?;
        Ok(found.unwrap_or_else(|| PyDict::new(task_id.py())))
    }
}

/// A channel of this process, and a function that gives the value of the task before.
pub(crate) struct ChannelSource<'a, 'py> {
    pub channel: &'a Bound<'py, PyAny>,
    pub previous: Option<Bound<'py, PyAny>>,
}

impl<'py> Source<'py> for ChannelSource<'_, 'py> {
    fn value(&mut self, key: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = key.py();
        if self.channel.call_method1(intern!(py, "exists"), (key,))?.is_truthy()? {
            return self.channel.call_method1(intern!(py, "get"), (key,)).map(Some);
        }
        Ok(None)
    }

    fn previous(&mut self) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.previous.as_ref().map(|previous| previous.call0()).transpose()
    }
}

struct Looking<'a, 'py, S> {
    py: Python<'py>,
    arguments: Option<&'a Bound<'py, PyDict>>,
    source: &'a mut S,
}

impl<'py, S: Source<'py>> Look<Parameter> for Looking<'_, 'py, S> {
    type Value = Bound<'py, PyAny>;
    type Error = PyErr;

    fn is_given(&mut self, parameter: &Parameter) -> PyResult<bool> {
        self.arguments.map_or(Ok(false), |arguments| arguments.contains(&parameter.name))
    }

    fn in_channel(&mut self, parameter: &Parameter) -> PyResult<Option<Self::Value>> {
        match self.source.value(parameter.result_key.bind(self.py))? {
            Some(value) => Ok(Some(value)),
            None => self.source.value(parameter.name.bind(self.py)),
        }
    }

    fn previous(&mut self) -> PyResult<Option<Self::Value>> {
        self.source.previous()
    }

    fn item(&mut self, value: &Self::Value, parameter: &Parameter) -> PyResult<Option<Self::Value>> {
        if !is_mapping(value)? || !value.contains(&parameter.name)? {
            return Ok(None);
        }
        value.get_item(&parameter.name).map(Some)
    }

    fn copy(&self, value: &Self::Value) -> Self::Value {
        value.clone()
    }
}

fn is_mapping(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    static MAPPING: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    if value.is_instance_of::<PyDict>() {
        return Ok(true);
    }
    let is_plain = value.is_none()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyString>()
        || value.is_exact_instance_of::<PyFloat>()
        || value.is_exact_instance_of::<PyList>()
        || value.is_exact_instance_of::<PyTuple>();
    if is_plain {
        return Ok(false);
    }
    let py = value.py();
    let mapping =
        MAPPING.get_or_try_init(py, || py.import("collections.abc")?.getattr("Mapping").map(Bound::unbind))?;
    value.is_instance(mapping.bind(py))
}

/// What says in words what is wrong with arguments.
fn words(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    py.import("graflow_fast._body.arguments").map(Bound::into_any)
}
