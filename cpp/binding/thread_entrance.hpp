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

/// (coro, block, future, loop): accepts a job whose outcome a ThreadFuture gets. Guarantees: None if it was accepted, the
/// Job if it stands in line; else an exception, and the coroutine is closed.
PyObject* pool_offer_from_thread(PyObject* self, PyObject* const* args, Py_ssize_t count) noexcept;

/// (job, seconds): sleeps until that job, which stands in line, has left it. Guarantees: False if the time was over before.
PyObject* pool_park(PyObject* self, PyObject* const* args, Py_ssize_t count) noexcept;

/// Wakes the thread that waits with a job, if `waiter` is what it sleeps on. Guarantees: false if it is something else.
bool wake_thread(PyObject* waiter) noexcept;

}  // namespace nbaio
