// The way into the pool for other threads than the loop's.
//
// There is no inbox between the threads and the pool: a job that is submitted while no transition is under way may be
// accepted at once, and whoever holds the GIL, or the pool's critical section, knows that none is. So a thread's job takes
// part in the same queue, the same line and the same limits as all others, and the only thing that is left to do for the
// loop is to be woken, once for a burst.
#pragma once

#include "binding/python.hpp"

namespace nbaio {

struct PoolObject;

/// (coro, block, future, loop): accepts a job whose outcome a ThreadFuture gets. Guarantees: None if it was accepted, an
/// Arrival to park in if it stands in line; else an exception, and the coroutine is closed.
PyObject* pool_offer_from_thread(PyObject* self, PyObject* const* args, Py_ssize_t count) noexcept;

}  // namespace nbaio
