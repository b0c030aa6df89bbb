// ThreadOutcome: what a ThreadFuture consists of natively, so that a job can settle it, and a thread wait for that, without
// running any Python code.
#pragma once

#include "binding/bell.hpp"
#include "binding/python.hpp"

namespace nbaio {

struct State;

PyTypeObject* make_thread_outcome_type(State* state) noexcept;

/// Whether an object is a ThreadOutcome.
bool is_thread_outcome(State* state, PyObject* object) noexcept;

/// Tells it which job it is to get the outcome of. Requires: is_thread_outcome.
void set_job_of_outcome(PyObject* outcome, PyObject* job) noexcept;

/// Settles it with a result, unless somebody has looked so closely that Python code is to do that. Adds to `bells` those of
/// the threads that sleep until it is settled. Guarantees: false, and nothing done, if it was not settled.
bool settle_outcome(State* state, PyObject* self, PyObject* result, Bells& bells) noexcept;

}  // namespace nbaio
