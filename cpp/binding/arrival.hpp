// Arrival: what `await pool.submit(...)` waits on while there is no room, and what sync_submit() sleeps in.
#pragma once

#include "binding/python.hpp"
#include "binding/state.hpp"

namespace nbaio {

struct PoolObject;

/// The type of an iterator for `await`, which waits until a job that stands in line is let in, and returns that job, or its
/// future=. Whoever gives up, by an exception or by dropping the arrival, leaves the line: a place that nobody comes back
/// for would hold up everybody behind it.
PyTypeObject* make_arrival_type(State* state) noexcept;

/// The job of an arrival. Requires: it is one.
Ref job_of_arrival(PyObject* arrival) noexcept;

/// A parking as an object: what a thread's arrival has for a waiter. Null with an exception set on failure.
Ref new_parking() noexcept;

/// Whether a waiter is a thread's parking. It may be null.
bool is_thread(PyObject* waiter) noexcept;

/// Wakes the thread that sleeps in a parking. Guarantees: false, and nothing done, if `waiter` is something else, or null.
bool wake_thread(PyObject* waiter) noexcept;

/// Requires: the job is about to stand in line, or to be let in by a job that then waits for its own slot; `waiter` is the
/// future that says when to come back, or a thread's parking. Guarantees: null with an exception set, and nothing done, on
/// failure.
Ref new_arrival(PoolObject* pool, PyObject* job, PyObject* waiter) noexcept;

}  // namespace nbaio
