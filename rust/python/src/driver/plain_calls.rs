//! How the body of a plain step is called, and how it ended. Part of `PlainSteps`; must not know what follows from it.
use std::sync::atomic::Ordering;

use graflow_scheduler::Directive;
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::body::awaited::awaited;
use crate::driver::plain_plans::{Filled, Step};
use crate::driver::plain_steps::PlainSteps;
use crate::driver::plain_tables::Tables;
use crate::driver::root::now;
use crate::tables::arguments::bound_of;

/// How a step ended.
pub(super) enum Ended<'py> {
    /// Well, and this was asked for, which is nothing more than tasks to run.
    Returned(Bound<'py, PyAny>, Vec<Directive>),
    /// In a way that the driver completes: (its context, the result).
    Asked(Bound<'py, PyAny>, Bound<'py, PyAny>),
    /// With an exception: (its context, the exception).
    Raised(Bound<'py, PyAny>, PyErr),
}

impl PlainSteps {
    /// Runs one body.
    pub(super) fn step<'py>(
        &self,
        py: Python<'py>,
        step: &Step<'py>,
        name: &Bound<'py, PyString>,
        tables: &Tables<'py>,
    ) -> PyResult<Ended<'py>> {
        self.count(py, step, name, tables)?;
        self.started.store(now().to_bits(), Ordering::Relaxed);
        let driver = self.driver.bind(py);
        let context = if step.plan.inject { Some(driver.call_method0(intern!(py, "new_context"))?) } else { None };
        let called = self.call(py, step, name, tables, context.as_ref());
        match called {
            Ok(result) => {
                // What takes no context may have asked for something through the run's.
                let made = tables.marker.getattr(intern!(py, "_made"))?;
                let has_record = step.branch != 0 && self.branches(driver)?.records.get().contains_key(&step.branch);
                if made.is_none() && !has_record {
                    return Ok(Ended::Returned(result, Vec::new()));
                }
                if step.branch == 0 {
                    let asked = made.getattr(intern!(py, "directives"))?;
                    let directives = match (asked.is_none(), &self.journal) {
                        (true, _) => Some(Vec::new()),
                        (false, None) => self.directives(driver, &asked)?,
                        (false, Some(_)) => None, // what it asked for is Python's to write down
                    };
                    if let Some(directives) = directives {
                        driver.call_method0(intern!(py, "renew"))?;
                        return Ok(Ended::Returned(result, directives));
                    }
                }
                Ok(Ended::Asked(driver.call_method0(intern!(py, "context"))?, result))
            }
            Err(error) if error.is_instance_of::<PyException>(py) => {
                Ok(Ended::Raised(driver.call_method0(intern!(py, "context"))?, error))
            }
            Err(error) => Err(error),
        }
    }

    fn call<'py>(
        &self,
        py: Python<'py>,
        step: &Step<'py>,
        name: &Bound<'py, PyString>,
        tables: &Tables<'py>,
        context: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let filled = match &step.arguments {
            Some(filled) => filled.clone(),
            None => {
                let bound = bound_of(&step.task)?;
                if step.plan.parameters.is_empty() && bound.is_empty() {
                    Filled::Nothing
                } else {
                    step.plan.fill(&bound, tables, true)?
                }
            }
        };
        let arguments = match filled {
            Filled::Nothing => None,
            Filled::With(arguments) => Some(arguments),
            Filled::Unsure => {
                let fill = intern!(py, "fill_arguments");
                let arguments = self.driver.bind(py).call_method1(fill, (&step.task, name, step.cause))?;
                Some(arguments.cast_into::<PyDict>()?)
            }
        };
        let function = step.plan.function.bind(py);
        let result = match context {
            Some(context) => function.call((context,), arguments.as_ref()),
            None => function.call((), arguments.as_ref()),
        };
        result.and_then(awaited)
    }
}
